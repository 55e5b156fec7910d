/**
 * `npm run test:kubernetes`: Shuttle's integration tests against a real API server, as KUBEBUILDER_ASSETS or KUBECONFIG says.
 * Without either it says so and ends with 0. Arguments go to vitest.
 */
import { fileURLToPath } from "node:url"
import { bootstrap, fail, interrupted, runToEnd } from "./bootstrap.mjs"

await bootstrap(fileURLToPath(import.meta.url))
const { runWith } = await import("../infra/launchpad/test/apiserver/Run.ts")
const outcome = await runWith(process.env, (environment) =>
  runToEnd("vitest", ["run", "--project", "kubernetes", ...process.argv.slice(2)], { environment })
)
if ("problem" in outcome) fail(outcome.problem)
process.exit(interrupted() ?? outcome.status)
