/** `npm run starform -- …` or `pnpm starform …`: the command, under a Node that runs it. Its input and output are yours. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, root, runToEnd } from "./bootstrap.mjs"
import { calledAs } from "./calledAs.mjs"

const script = fileURLToPath(import.meta.url)

await bootstrap(script, { input: "inherit" })
const main = join(root, "packages", "cli", "src", "main.ts")
process.exit(
  await runToEnd(process.execPath, [main, ...process.argv.slice(2)], {
    input: "inherit",
    environment: {
      STARFORM_COMMAND: calledAs(process.env, { checkout: root, script, folder: process.cwd() })
    }
  })
)
