/** `starform workspaces list | create` */
import { createHash, randomBytes, randomUUID } from "node:crypto"
import { WorkspaceId } from "@starform/domain/ids/Ids"
import { Workspace } from "@starform/domain/model/Workspace"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import * as Session from "../session/Session.ts"

const list = Command.make(
  "list",
  Printing.jsonFlag,
  Effect.fnUntraced(function* ({ json }) {
    const session = yield* Session.open
    const workspaces = yield* Session.ask(session, session.client.ListWorkspaces())
    if (json) return yield* Printing.json(Schema.Array(Workspace), workspaces)
    if (workspaces.length === 0) return yield* Printing.lines(["No workspace yet."])
    const rows = workspaces.map(({ slug, displayName }) => [slug, displayName])
    yield* Printing.lines(table(yield* paint, ["WORKSPACE", "NAME"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("Workspaces that your token can see"))

const create = Command.make(
  "create",
  {
    slug: Argument.String("slug").pipe(Argument.withDescription("Name in URLs; never changes")),
    name: Flag.String("name").pipe(Flag.withDescription("Name for people"), Flag.optional)
  },
  Effect.fnUntraced(function* ({ slug: text, name }) {
    const session = yield* Session.open
    const slug = yield* Session.workspaceSlug(text)
    const requestId = yield* Session.requestId
    const id = WorkspaceId.make(randomUUID())
    const token = `sfw_${id}_${randomBytes(32).toString("base64url")}`
    const tokenHash = createHash("sha256").update(token).digest("hex")
    const displayName = Option.getOrElse(name, () => text)
    yield* Session.ask(
      session,
      session.client.CreateWorkspace({ requestId, id, slug, displayName, tokenHash })
    )
    yield* Printing.lines([
      `Created workspace ${slug}. Its token, shown this once; Starform keeps only a hash of it:`,
      "",
      `  ${token}`
    ])
  }, Effect.scoped)
).pipe(Command.withDescription("For operators: a new workspace and its first token"))

export const workspacesCommand = Command.make("workspaces").pipe(
  Command.withDescription("Whose apps these are"),
  Command.withSubcommands([list, create])
)
