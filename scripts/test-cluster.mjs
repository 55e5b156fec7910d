/** `npm run test:cluster`: several runners, each fault in turn, under load. Arguments go to vitest. */
import { fileURLToPath } from "node:url"
import { bootstrap, interrupted, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url))
const status = await runToEnd("vitest", ["run", "--project", "cluster", ...process.argv.slice(2)])
process.exitCode = interrupted() ?? status
