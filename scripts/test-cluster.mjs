/** `npm run test:cluster`: several runners, every fault in turn, under load; `npm test` leaves some out. Arguments go to vitest. */
import { fileURLToPath } from "node:url"
import { bootstrap, interrupted, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url))
process.env.STARFORM_CLUSTER_TESTS = "full"
const status = await runToEnd("vitest", ["run", "--project", "cluster*", ...process.argv.slice(2)])
process.exitCode = interrupted() ?? status
