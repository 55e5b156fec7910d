/** `<project>/<name>` on a command line: the two things that a service or an environment is named by. */
import * as Effect from "effect/Effect"
import { rejected } from "./CommandFailed.ts"
import * as Session from "./Session.ts"

/** @param what the kind of thing, for the person who wrote it wrong */
export const inProject = Effect.fnUntraced(function* (text: string, what: string) {
  const [project = "", name = "", ...more] = text.split("/")
  if (project === "" || name === "" || more.length > 0) {
    return yield* rejected(`"${text}" names no ${what}: write project/${what}.`)
  }
  return { project: yield* Session.projectSlug(project), name }
})
