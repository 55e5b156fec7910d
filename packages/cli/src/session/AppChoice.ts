/** Which app a command is about: `-a [workspace/][project/]service` and `-e environment`, or the only one there is. */
import type { Slug } from "@starform/domain/ids/Slug"
import type { Project } from "@starform/domain/model/Workspace"
import type { AppRef } from "@starform/domain/protocol/AppRpcs"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { rejected } from "./CommandFailed.ts"
import type { CommandLine } from "./CommandLine.ts"
import * as Session from "./Session.ts"

/** Flags of every command about one app. */
export const appFlags = {
  app: Flag.String("app").pipe(
    Flag.withAlias("a"),
    Flag.withDescription("The app: project/service, or just the service; not needed when there is only one"),
    Flag.withMetavar("APP"),
    Flag.optional
  ),
  environment: Flag.String("environment").pipe(
    Flag.withAlias("e"),
    Flag.withDescription("Environment of the app; else production"),
    Flag.withMetavar("NAME"),
    Flag.optional
  )
}

export interface AppFlags {
  readonly app: Option.Option<string>
  readonly environment: Option.Option<string>
}

export interface ChosenApp {
  readonly session: Session.Session
  readonly ref: AppRef
  readonly project: Project
  /** Of the words of a command about this app, with the flags that choose it. */
  readonly line: CommandLine
}

const usual = "production"

/** `shop/api`, with the environment where it is not the usual one. */
export const nameOf = ({ project, service, environment }: AppRef): string =>
  environment === usual ? `${project}/${service}` : `${project}/${service} (${environment})`

/** What follows `-a` to choose the app in its workspace. */
export const choiceOf = ({ project, service, environment }: AppRef): string =>
  environment === usual ? `${project}/${service}` : `${project}/${service} -e ${environment}`

interface Candidate {
  readonly project: Project
  readonly service: Slug
}

const one = (session: Session.Session, candidates: ReadonlyArray<Candidate>, wanted: string | undefined) => {
  const only = candidates[0]
  if (only !== undefined && candidates.length === 1) return Effect.succeed(only)
  if (only === undefined) {
    return Effect.fail(
      rejected(
        wanted === undefined
          ? `There is no app yet. Push one, or create a service: ${session.line("services create <project>/<service>")}`
          : `There is no app "${wanted}" here, or you have no access to it.`
      )
    )
  }
  const names = candidates.map(({ project, service }) => `${project.slug}/${service}`)
  return Effect.fail(rejected(`Which app? Add -a ${names.join(" or -a ")}.`))
}

const candidatesOf = Effect.fnUntraced(function* (flags: AppFlags) {
  const session = yield* Session.open
  const wanted = Option.getOrUndefined(flags.app)
  const parts = wanted === undefined ? [] : wanted.split("/")
  if (parts.length > 3 || parts.includes("")) {
    return yield* rejected(`"${wanted}" is no app: write project/service.`)
  }
  const [service, project, owner] = parts.toReversed()
  const workspace =
    owner === undefined ? yield* Session.workspace(session) : yield* Session.workspaceSlug(owner)
  const projects = yield* Session.ask(session, session.client.ListProjects({ workspace }))
  const candidates = projects
    .filter(({ slug }) => project === undefined || slug === project)
    .flatMap((candidate) =>
      candidate.services
        .filter(({ slug }) => service === undefined || slug === service)
        .map(({ slug }): Candidate => ({ project: candidate, service: slug }))
    )
  return { session, workspace, candidates, isOwnerNamed: owner !== undefined, wanted }
})

/** @errors CommandFailed when there is no such app, or more than one that could be meant */
export const choose = Effect.fnUntraced(function* (flags: AppFlags) {
  const { session, workspace, candidates, isOwnerNamed, wanted } = yield* candidatesOf(flags)
  const environment = yield* Session.environmentName(Option.getOrElse(flags.environment, () => usual))
  const chosen = yield* one(session, candidates, wanted)
  const ref: AppRef = { workspace, project: chosen.project.slug, environment, service: chosen.service }
  const name = `${isOwnerNamed ? `${workspace}/` : ""}${ref.project}/${ref.service}`
  const choice = [
    ...(wanted === undefined ? [] : [` -a ${name}`]),
    ...(environment === usual ? [] : [` -e ${environment}`])
  ].join("")
  const line: CommandLine = (words) => session.line(`${words}${choice}`)
  return { session, ref, project: chosen.project, line } satisfies ChosenApp
})

/** Every app that the flags do not rule out, in each of its environments; `null` when they mean one at most. */
export const several = Effect.fnUntraced(function* (flags: AppFlags) {
  const { session, workspace, candidates, wanted } = yield* candidatesOf(flags)
  if (wanted !== undefined || candidates.length < 2) return null
  const only = Option.isNone(flags.environment)
    ? null
    : yield* Session.environmentName(flags.environment.value)
  const refs = candidates.flatMap(({ project, service }) =>
    project.environments
      .filter(({ name }) => only === null || name === only)
      .map(({ name }): AppRef => ({ workspace, project: project.slug, environment: name, service }))
  )
  return { session, refs }
})
