import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import {
  agentToken,
  app as appOf,
  baseUrl,
  clientOf,
  clusterId,
  deployOf,
  digestOf,
  ended,
  endless,
  push,
  script,
  setUp,
  strangerToken,
  workspaceToken
} from "../../starbase/test/harness/ApiWorld.ts"
import * as ObedientAgent from "../../starbase/test/harness/ObedientAgent.ts"
import * as StarbaseProcess from "../../starbase/test/harness/StarbaseProcess.ts"
import { golden } from "./golden.ts"
import { emptyFolder, type Ran, type RunOptions, starform } from "./StarformRun.ts"

/** What differs from run to run: ids, ports, and how long things took. */
const normal = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
    .replace(/127\.0\.0\.1:\d+/g, "<host>")
    .replace(/"(atMs|sinceMs|createdAtMs)": \d+/g, '"$1": "<time>"')
    .replace(/\b\d+ (s|min) ago/g, "<time> ago")
    .replace(/\bfor \d+ (s|min)\b/g, "for <time>")
    .replace(/after \d+\.\d s/g, "after <time>")

const as = Effect.fnUntraced(function* (token: Redacted.Redacted<string>, options: RunOptions) {
  const url = yield* baseUrl
  const env = { STARFORM_URL: url, STARFORM_TOKEN: Redacted.value(token), ...options.env }
  return yield* starform({ ...options, env })
})

/** A server that answers everything with this status; its URL. */
const answering = (status: number) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((_, response) => response.writeHead(status).end()).listen(
        0,
        "127.0.0.1",
        () => resume(Effect.succeed(server))
      )
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    })
  )

const owner = (...args: ReadonlyArray<string>) => as(workspaceToken, { args })

const transcript = (args: ReadonlyArray<string>, { status, stdout, stderr }: Ran): string =>
  [
    `$ starform ${args.join(" ")}`,
    stdout,
    ...(stderr === "" ? [] : ["--- standard error", stderr]),
    `--- status ${status}`,
    ""
  ].join("\n")

const transcribed = (args: ReadonlyArray<string>) =>
  Effect.map(owner(...args), (ran) => normal(transcript(args, ran)))

const compare = (name: string, transcripts: ReadonlyArray<string>) => {
  const text = transcripts.join("\n")
  assert.strictEqual(text, golden(new URL(`__golden__/${name}.txt`, import.meta.url), text))
}

/** Runs each command line and compares all of it with what a person has reviewed. */
const reviewed = Effect.fnUntraced(function* (name: string, ...lines: ReadonlyArray<ReadonlyArray<string>>) {
  const runs = yield* Effect.forEach(lines, transcribed)
  compare(name, runs)
})

/** The same for lines that change nothing, side by side. */
const reviewedReads = Effect.fnUntraced(function* (
  name: string,
  ...lines: ReadonlyArray<ReadonlyArray<string>>
) {
  compare(name, yield* Effect.forEach(lines, transcribed, { concurrency: 3 }))
})

const agent = Effect.fnUntraced(function* (verdict: ObedientAgent.Verdict = ObedientAgent.healthy) {
  const access = { url: yield* baseUrl, clusterId, token: agentToken }
  return yield* Effect.forkScoped(ObedientAgent.run(access, verdict))
})

/** Each command is a process of its own, and starting one takes its time on a busy machine. */
const patience = { timeout: 90_000 }

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("starform", (it) => {
  it.effect(
    "explains an app that has nothing to run, and keeps settings for its first deploy",
    () =>
      Effect.gen(function* () {
        yield* setUp
        yield* reviewedReads(
          "new-app",
          ["status"],
          ["releases"],
          ["deploys"],
          ["logs"],
          ["restart"],
          ["rollback"],
          ["env", "list"]
        )
        yield* reviewed(
          "new-app-scale",
          ["scale", "worker=2"],
          ["scale"],
          ["autoscale"],
          ["autoscale", "worker=2..10", "--memory", "80"],
          ["autoscale"],
          ["autoscale", "--json"],
          ["scale", "worker=3"],
          ["autoscale", "worker=5..2"],
          ["autoscale", "worker=many"],
          ["autoscale", "worker=off"],
          ["schedule", "@daily"]
        )
      }),
    patience
  )

  it.effect(
    "creates and lists what a workspace owns",
    () =>
      Effect.gen(function* () {
        yield* reviewed(
          "tree",
          ["projects", "create", "blog", "--name", "The blog"],
          ["environments", "create", "blog/staging"],
          ["services", "create", "blog/site"],
          ["services", "create", "blog/jobs", "--type", "worker"]
        )
        yield* reviewed(
          "schedule",
          ["services", "create", "blog/digest", "--type", "cron"],
          ["schedule", "-a", "blog/digest"],
          ["schedule", "-a", "blog/digest", "30 3 * * 1-5", "--time-zone", "Europe/Berlin"],
          ["schedule", "-a", "blog/digest"],
          ["schedule", "-a", "blog/digest", "--json"],
          ["schedule", "-a", "blog/digest", "30 3 * *"],
          ["schedule", "-a", "blog/digest", "@hourly", "--time-zone", "Mars/Olympus"],
          ["autoscale", "-a", "blog/digest", "cron=1..2"]
        )
        yield* reviewedReads(
          "tree-lists",
          ["workspaces", "list"],
          ["projects", "list"],
          ["environments", "list"],
          ["services", "list"],
          ["services", "list", "--json"],
          ["status"],
          ["status", "-a", "site", "-e", "staging"]
        )
      }),
    patience
  )

  it.effect(
    "follows a push from its log to live",
    () =>
      Effect.gen(function* () {
        yield* agent()
        yield* push(1)
        const followed = yield* owner("logs", "-f", "-a", "api")
        assert.strictEqual(followed.status, 0)
        assert.match(followed.stdout, /^installing for commit 1\nbuilt\n/)
        assert.match(followed.stdout, /✓ Live after/)
        yield* push(3)
        yield* ended(yield* clientOf(workspaceToken), deployOf(3))
        yield* reviewedReads(
          "live",
          ["status", "-a", "api"],
          ["releases", "-a", "api"],
          ["deploys", "-a", "api"],
          ["logs", "-a", "api"],
          ["logs", "-a", "api", "--deploy", "1"],
          ["logs", "-a", "api", "--deploy", "99"],
          ["status", "-a", "api", "--json"]
        )
      }),
    patience
  )

  it.effect(
    "hands on the lines of a build that runs, and says how its deploy ended",
    () =>
      Effect.gen(function* () {
        yield* agent()
        yield* push(endless)
        const following = yield* Effect.forkChild(
          owner("logs", "-f", "-a", "api", "--deploy", deployOf(endless))
        )
        const client = yield* clientOf(workspaceToken)
        yield* client.AwaitDeploy({ app: appOf, deployId: deployOf(endless), phasesSeen: 1 })
        const now = yield* owner("logs", "-a", "api")
        assert.include(now.stderr, "It goes on")
        yield* push(5)
        const ran = yield* Fiber.join(following)
        assert.strictEqual(ran.status, 1)
        assert.include(ran.stdout, `installing for commit ${endless}`)
        assert.include(ran.stdout, "A newer deploy took over")
        yield* ended(client, deployOf(5))
      }),
    patience
  )

  it.effect(
    "rolls back, restarts and scales, and waits for the outcome",
    () =>
      Effect.gen(function* () {
        yield* agent()
        yield* reviewed(
          "steer",
          ["rollback", "-a", "api", "--to", "1"],
          ["rollback", "-a", "api", "--to", "7"],
          ["restart", "-a", "api"],
          ["scale", "-a", "api", "web=3", "worker=0"],
          ["scale", "-a", "api", "web=0"],
          ["status", "-a", "api"],
          ["restart", "-a", "api"],
          ["scale", "-a", "api", "web=3"],
          ["scale", "-a", "api", "db=1"],
          ["scale", "-a", "api", "web"],
          ["autoscale", "-a", "api", "web=2..4", "--cpu", "60"],
          ["autoscale", "-a", "api", "web=off"],
          ["status", "-a", "api"]
        )
        const byDigest = yield* owner("rollback", "-a", "api", "--to", "sha256:0000003")
        assert.strictEqual(byDigest.status, 0)
        assert.include(byDigest.stdout, "to release 2;")
      }),
    patience
  )

  it.effect(
    "INV-CLI-2 sets, lists and removes variables, and never shows a secret again",
    () =>
      Effect.gen(function* () {
        yield* agent()
        const set = yield* as(workspaceToken, {
          args: ["env", "set", "-a", "api", "DATABASE_URL=-"],
          stdin: "postgres://user:hunter2@db/shop\n"
        })
        assert.strictEqual(set.status, 0)
        assert.notInclude(set.stdout + set.stderr, "hunter2")
        yield* reviewed(
          "env",
          ["env", "set", "-a", "api", "--plain", "REGION=eu", "LEVEL=a=b"],
          ["env", "list", "-a", "api"],
          ["env", "list", "-a", "api", "--json"],
          ["env", "unset", "-a", "api", "DATABASE_URL"],
          ["env", "unset", "-a", "api", "DATABASE_URL"],
          ["env", "unset", "-a", "api", "DATABASE_URL", "LEVEL"],
          ["env", "list", "-a", "api"],
          ["env", "set", "-a", "api", "NOTHING"],
          ["env", "set", "-a", "api", "1=2"],
          ["env", "set", "-a", "api", "PORT=1"]
        )
      }),
    patience
  )

  it.effect(
    "explains a build that failed and a rollout that failed, with status 1",
    () =>
      Effect.gen(function* () {
        const client = yield* clientOf(workspaceToken)
        yield* push(6)
        yield* ended(client, deployOf(6))
        yield* reviewedReads("failed-build", ["status", "-a", "api"], ["logs", "-f", "-a", "api"])
        yield* agent((app) =>
          app.image === `local/app@${digestOf(9)}`
            ? {
                phase: "failed",
                reason: { code: "WrongPort", message: "listens on 3000, but PORT is 8080" },
                output: ["listening on 3000"]
              }
            : ObedientAgent.healthy(app)
        )
        yield* push(9)
        yield* ended(client, deployOf(9))
        yield* client.GetAppStatus({ app: appOf }).pipe(
          Effect.repeat({
            schedule: Schedule.spaced("50 millis"),
            until: ({ observed }) => observed?.isOfLive === true && observed.phase === "available"
          }),
          Effect.timeout("20 seconds")
        )
        yield* reviewedReads(
          "failed-rollout",
          ["status", "-a", "api"],
          ["logs", "-f", "-a", "api"],
          ["releases", "-a", "api"],
          ["status"]
        )
      }),
    patience
  )

  it.effect(
    "creates a workspace whose token works at once",
    () =>
      Effect.gen(function* () {
        const created = yield* as(StarbaseProcess.operatorToken, {
          args: ["workspaces", "create", "initech"]
        })
        assert.strictEqual(created.status, 0)
        const token = /sfw_\S+/.exec(created.stdout)?.[0] ?? ""
        const listed = yield* as(Redacted.make(token), { args: ["workspaces", "list"] })
        assert.include(listed.stdout, "initech")
        assert.notInclude(listed.stdout, "acme")
        const refused = yield* owner("workspaces", "create", "mine")
        assert.strictEqual(refused.status, 2)
        assert.strictEqual(refused.stderr, "You may not create a workspace with this token.\n")
      }),
    patience
  )

  it.effect(
    "INV-CLI-5 answers the unknown and the forbidden with the same line, and ends with its status",
    () =>
      Effect.gen(function* () {
        const unknown = yield* owner("status", "-a", "globex/shop/api")
        const forbidden = yield* as(strangerToken, { args: ["status", "-a", "acme/shop/api"] })
        assert.strictEqual(
          unknown.stderr,
          `There is no workspace "globex" here, or you have no access to it.\n`
        )
        assert.strictEqual(
          forbidden.stderr,
          `There is no workspace "acme" here, or you have no access to it.\n`
        )
        assert.deepStrictEqual([unknown.status, forbidden.status], [2, 2])
        const wrong = yield* as(Redacted.make("nonsense"), { args: ["status"] })
        assert.strictEqual(
          wrong.stderr,
          "This token is not valid. Use a token of the workspace. It comes from STARFORM_TOKEN. " +
            "A local Starform prints its token at `npm start` and keeps it in .starform/cli.json.\n"
        )
        assert.strictEqual(wrong.status, 2)
        const nobody = yield* as(workspaceToken, {
          args: ["status"],
          env: { STARFORM_URL: "http://127.0.0.1:1" }
        })
        assert.strictEqual(nobody.stderr, "http://127.0.0.1:1 does not answer. Is Starform running there?\n")
        assert.strictEqual(nobody.status, 75)
        const turnedAway = yield* answering(429)
        const busy = yield* as(workspaceToken, { args: ["status"], env: { STARFORM_URL: turnedAway } })
        assert.strictEqual(busy.stderr, `${turnedAway} is busy. Nothing is lost: try again.\n`)
        assert.strictEqual(busy.status, 75)
        const foreign = yield* answering(404)
        const lost = yield* as(workspaceToken, { args: ["status"], env: { STARFORM_URL: foreign } })
        assert.strictEqual(lost.stderr, `${foreign} is not a Starform that I know.\n`)
        assert.strictEqual(lost.status, 2)
        yield* reviewedReads(
          "misuse",
          ["status", "--bogus"],
          ["statsu"],
          ["status", "my-app"],
          ["status", "-a", "a//b"],
          ["env", "set"]
        )
      }),
    patience
  )

  it.effect(
    "names every command as it was itself called, with the app, the environment and the workspace that it was told",
    () =>
      Effect.gen(function* () {
        const env = { STARFORM_COMMAND: "npm run starform --" }
        const here = (...args: ReadonlyArray<string>) => as(workspaceToken, { args, env })
        const release = yield* here("rollback", "-w", "acme", "-a", "api", "--to", "7")
        assert.include(release.stderr, "npm run starform -- releases -a shop/api -w acme lists them.")
        const deploy = yield* here("logs", "-a", "acme/shop/api", "--deploy", "99")
        assert.include(deploy.stderr, "npm run starform -- deploys -a acme/shop/api lists them.")
        const detached = yield* here("env", "set", "-d", "-e", "staging", "-a", "site", "A=1")
        assert.strictEqual(detached.status, 0)
        const positional = yield* here("logs", "api")
        assert.include(positional.stderr, "If api is an app: npm run starform -- logs -a api\n")
        const help = yield* here("scale", "--help")
        assert.include(help.stdout, "npm run starform -- scale web=3 worker=1")
        assert.notMatch(help.stdout, /^ *starform /m)
      }),
    patience
  )

  it.effect(
    "INV-CLI-1 finds its settings in the nearest folder above, and sends a file's token nowhere else",
    () =>
      Effect.gen(function* () {
        const folder = yield* emptyFolder
        const below = join(folder, "deep", "below")
        mkdirSync(below, { recursive: true })
        mkdirSync(join(folder, ".starform"))
        const file = join(folder, ".starform", "cli.json")
        const url = yield* baseUrl
        writeFileSync(file, JSON.stringify({ url, token: Redacted.value(workspaceToken) }), { mode: 0o600 })
        const found = yield* starform({ args: ["workspaces", "list"], cwd: below })
        assert.strictEqual(found.stderr, "")
        assert.include(found.stdout, "acme")

        const kubeconfig = join(folder, ".starform", "kubeconfig")
        const token = Redacted.value(workspaceToken)
        writeFileSync(file, JSON.stringify({ url, token, kubeconfig }), { mode: 0o600 })
        const logs = yield* starform({ args: ["logs", "-a", "api"], cwd: below })
        assert.include(logs.stderr, `kubectl --kubeconfig ${kubeconfig} logs -n proj-shop `)

        writeFileSync(file, JSON.stringify({ url, token: "sfw_wrong", kubeconfig }), { mode: 0o600 })
        const byName = yield* starform({
          args: ["status", "--bogus"],
          cwd: yield* emptyFolder,
          env: { STARFORM_SETTINGS: file }
        })
        assert.include(byName.stderr, `STARFORM_SETTINGS=${file} starform status --help`)
        const wrong = yield* starform({
          args: ["status"],
          cwd: yield* emptyFolder,
          env: { STARFORM_SETTINGS: file }
        })
        assert.include(wrong.stderr, `It comes from ${file}.`)
        assert.notInclude(wrong.stderr, "sfw_wrong")

        const elsewhere = { STARFORM_URL: "http://127.0.0.1:1" }
        const other = yield* starform({ args: ["workspaces", "list"], cwd: below, env: elsewhere })
        assert.strictEqual(other.stderr, "No token for http://127.0.0.1:1. Set STARFORM_TOKEN.\n")

        chmodSync(file, 0o644)
        const open = yield* starform({ args: ["workspaces", "list"], cwd: below })
        assert.include(open.stderr, "chmod 600")

        writeFileSync(file, "{")
        const broken = yield* starform({ args: ["workspaces", "list"], cwd: below })
        assert.strictEqual(broken.status, 2)
        const nowhere = yield* starform({ args: ["status"], cwd: yield* emptyFolder })
        assert.match(nowhere.stderr, /^No Starform here/)
      }),
    patience
  )

  it.effect(
    "INV-CLI-4 prints colours where they are wanted, and none into a pipe",
    () =>
      Effect.gen(function* () {
        const piped = yield* owner("releases", "-a", "api")
        assert.notInclude(piped.stdout, "\u001b")
        const forced = yield* as(workspaceToken, {
          args: ["releases", "-a", "api"],
          env: { FORCE_COLOR: "1" }
        })
        assert.include(forced.stdout, "\u001b[32m")
      }),
    patience
  )
})
