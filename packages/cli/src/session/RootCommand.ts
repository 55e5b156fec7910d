/** `starform` itself: the flags that every command understands. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"

export const root = Command.make("starform").pipe(
  Command.withSharedFlags({
    url: Flag.String("url").pipe(
      Flag.withDescription("Where Starform is (STARFORM_URL, or .starform/cli.json)"),
      Flag.withMetavar("URL"),
      Flag.optional
    ),
    token: Flag.Redacted("token").pipe(
      Flag.withDescription("Who you are; prefer STARFORM_TOKEN, a command line is no place for secrets"),
      Flag.withMetavar("TOKEN"),
      Flag.optional
    ),
    workspace: Flag.String("workspace").pipe(
      Flag.withAlias("w"),
      Flag.withDescription("Workspace; not needed when your token sees only one (STARFORM_WORKSPACE)"),
      Flag.withMetavar("SLUG"),
      Flag.optional
    )
  }),
  Command.withDescription("See and steer what runs on Starform.")
)
