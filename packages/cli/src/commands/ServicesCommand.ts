/** `starform services list | create` */
import { Service } from "@starform/domain/model/Workspace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { inProject } from "../session/ProjectChoice.ts"
import * as Session from "../session/Session.ts"

const Listed = Schema.Array(Schema.Struct({ project: Schema.String, ...Service.fields }))

const list = Command.make(
  "list",
  Printing.jsonFlag,
  Effect.fnUntraced(function* ({ json }) {
    const session = yield* Session.open
    const workspace = yield* Session.workspace(session)
    const projects = yield* Session.ask(session, session.client.ListProjects({ workspace }))
    const services = projects.flatMap((project) =>
      project.services.map((service) => ({ project: project.slug, ...service }))
    )
    if (json) return yield* Printing.json(Listed, services)
    if (services.length === 0) {
      return yield* Printing.lines([
        `No service in ${workspace} yet. A push creates one, or ${session.line("services create <project>/<service>")}`
      ])
    }
    const rows = services.map(({ project, slug, type }) => [`${project}/${slug}`, type])
    yield* Printing.lines(table(yield* paint, ["SERVICE", "TYPE"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("Services of the workspace"))

const create = Command.make(
  "create",
  {
    service: Argument.String("project/service"),
    type: Flag.Literals("type", ["web", "worker", "cron"]).pipe(
      Flag.withDescription("web answers HTTP, worker does not, cron runs on a schedule"),
      Flag.withDefault("web")
    )
  },
  Effect.fnUntraced(function* ({ service, type }) {
    const session = yield* Session.open
    const { project, name } = yield* inProject(service, "service")
    const slug = yield* Session.serviceSlug(name)
    const workspace = yield* Session.workspace(session)
    const requestId = yield* Session.requestId
    yield* Session.ask(session, session.client.CreateService({ requestId, workspace, project, slug, type }))
    yield* Printing.lines([
      `Created service ${project}/${slug} (${type}) in every environment of ${project}.`,
      `  Push to ${session.settings.url}/git/${workspace}/${project}/${slug}.git`
    ])
  }, Effect.scoped)
).pipe(Command.withDescription("A new service; its first push deploys it"))

export const servicesCommand = Command.make("services").pipe(
  Command.withDescription("What runs"),
  Command.withSubcommands([list, create])
)
