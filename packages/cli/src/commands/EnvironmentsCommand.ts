/** `starform environments list | create` */
import { Environment } from "@starform/domain/model/Workspace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { inProject } from "../session/ProjectChoice.ts"
import * as Session from "../session/Session.ts"

const Listed = Schema.Array(Schema.Struct({ project: Schema.String, ...Environment.fields }))

const list = Command.make(
  "list",
  Printing.jsonFlag,
  Effect.fnUntraced(function* ({ json }) {
    const session = yield* Session.open
    const workspace = yield* Session.workspace(session)
    const projects = yield* Session.ask(session, session.client.ListProjects({ workspace }))
    const environments = projects.flatMap((project) =>
      project.environments.map((environment) => ({ project: project.slug, ...environment }))
    )
    if (json) return yield* Printing.json(Listed, environments)
    const rows = environments.map(({ project, name, branch }) => [`${project}/${name}`, branch])
    yield* Printing.lines(table(yield* paint, ["ENVIRONMENT", "DEPLOYS FROM"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("Environments of the workspace's projects, and the branch that feeds each"))

const create = Command.make(
  "create",
  {
    environment: Argument.String("project/environment"),
    branch: Flag.String("branch").pipe(
      Flag.withDescription("The branch whose pushes deploy there; else the one of its name"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ environment, branch }) {
    const session = yield* Session.open
    const { project, name: text } = yield* inProject(environment, "environment")
    const name = yield* Session.environmentName(text)
    const workspace = yield* Session.workspace(session)
    const requestId = yield* Session.requestId
    const created = yield* Session.ask(
      session,
      session.client.CreateEnvironment({
        requestId,
        workspace,
        project,
        name,
        branch: Option.getOrElse(branch, () => text),
        isProtected: false,
        isEphemeral: false
      })
    )
    yield* Printing.lines([`Created environment ${project}/${name}; pushes to ${created.branch} go there.`])
  }, Effect.scoped)
).pipe(Command.withDescription("A new environment, with every service of the project"))

export const environmentsCommand = Command.make("environments").pipe(
  Command.withDescription("Where services run: production, staging, …"),
  Command.withSubcommands([list, create])
)
