/** `starform projects list | create` */
import type { ClusterId } from "@starform/domain/ids/Ids"
import { Project } from "@starform/domain/model/Workspace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as Session from "../session/Session.ts"

const list = Command.make(
  "list",
  Printing.jsonFlag,
  Effect.fnUntraced(function* ({ json }) {
    const session = yield* Session.open
    const workspace = yield* Session.workspace(session)
    const projects = yield* Session.ask(session, session.client.ListProjects({ workspace }))
    if (json) return yield* Printing.json(Schema.Array(Project), projects)
    if (projects.length === 0) {
      return yield* Printing.lines([
        `No project in ${workspace} yet. Create one: ${session.line("projects create <slug>")}`
      ])
    }
    const rows = projects.map(({ slug, displayName, environments, services, namespace }) => [
      slug,
      displayName,
      environments.map(({ name, branch }) => `${name} ← ${branch}`).join(", "),
      services.map((service) => service.slug).join(", "),
      namespace
    ])
    const heading = ["PROJECT", "NAME", "ENVIRONMENTS", "SERVICES", "NAMESPACE"]
    yield* Printing.lines(table(yield* paint, heading, rows))
  }, Effect.scoped)
).pipe(Command.withDescription("Projects of the workspace, with their environments and services"))

/** The cluster that was named by id or by name, or the only one there is. */
const clusterOf = Effect.fnUntraced(function* (session: Session.Session, wanted: Option.Option<string>) {
  const clusters = yield* Session.ask(session, session.client.ListClusters())
  const matching = Option.match(wanted, {
    onNone: () => clusters,
    onSome: (text) => clusters.filter(({ id, name }) => id === text || name === text)
  })
  const only = matching[0]
  if (only !== undefined && matching.length === 1) return only.id satisfies ClusterId
  if (Option.isSome(wanted))
    return yield* rejected(`There is no cluster "${wanted.value}" here, or you have no access to it.`)
  return yield* rejected(
    only === undefined
      ? "Your workspace is on no cluster yet. An operator creates its first project."
      : `Which cluster? Add --cluster ${matching.map(({ name }) => name).join(" or --cluster ")}.`
  )
})

const create = Command.make(
  "create",
  {
    slug: Argument.String("slug").pipe(Argument.withDescription("Name in URLs; never changes")),
    name: Flag.String("name").pipe(Flag.withDescription("Name for people"), Flag.optional),
    cluster: Flag.String("cluster").pipe(
      Flag.withDescription("Where it will run, for ever; not needed when there is only one"),
      Flag.withMetavar("NAME"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ slug: text, name, cluster }) {
    const session = yield* Session.open
    const slug = yield* Session.projectSlug(text)
    const workspace = yield* Session.workspace(session)
    const clusterId = yield* clusterOf(session, cluster)
    const requestId = yield* Session.requestId
    const displayName = Option.getOrElse(name, () => text)
    const project = yield* Session.ask(
      session,
      session.client.CreateProject({ requestId, workspace, slug, displayName, clusterId })
    )
    yield* Printing.lines([
      `Created project ${workspace}/${slug}; pushes to main go to production.`,
      `  Push to ${session.settings.url}/git/${workspace}/${project.slug}/<service>.git`
    ])
  }, Effect.scoped)
).pipe(Command.withDescription("A new project with the environment production"))

export const projectsCommand = Command.make("projects").pipe(
  Command.withDescription("Groups of services that run together"),
  Command.withSubcommands([list, create])
)
