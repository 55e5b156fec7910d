/** What the `starform` command reads when it runs in this checkout: where the API is, and a token of the local workspace. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { folderName, type LaunchState } from "./LaunchState.ts"

const CommandAccess = Schema.fromJsonString(
  Schema.Struct({ url: Schema.String, token: Schema.String, kubeconfig: Schema.String })
)

const encode = Schema.encodeSync(CommandAccess)

/** Written anew at every start; mode 0600. */
export const write = Effect.fnUntraced(function* (
  { cli: file, kubeconfig }: LaunchState,
  url: string,
  token: Redacted.Redacted<string>
) {
  const fs = yield* FileSystem.FileSystem
  const text = encode({ url, token: Redacted.value(token), kubeconfig })
  yield* fs.writeFileString(file, `${text}\n`, { mode: 0o600 })
  yield* fs.chmod(file, 0o600)
})

/** One word for a shell. */
const quoted = (text: string): string =>
  /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/**
 * What a person types before the words of `starform`: in the folder of the checkout, and anywhere else. A state folder
 * that the command would not find by itself is named.
 */
export const calls = (
  checkout: string,
  { cli, directory }: Pick<LaunchState, "cli" | "directory">
): { readonly here: string; readonly anywhere: string } => {
  const settings = directory === join(checkout, folderName) ? "" : `STARFORM_SETTINGS=${quoted(cli)} `
  return {
    here: `${settings}npm run starform --`,
    anywhere: `${settings}npm --prefix ${quoted(checkout)} run starform --`
  }
}
