/** How an agent gets its credential, over HTTP, and what everybody else hears there. */
import { createHash } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { ClusterId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import {
  formatHeader,
  standingHeader,
  starformVersion,
  versionHeader
} from "@starform/domain/protocol/VersionSkew"
import { clientOf, baseUrl, requestId, script, setUp, workspaceToken } from "../harness/ApiWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import { operatorToken } from "../harness/StarbaseProcess.ts"

const clusterId = ClusterId.make("0198c0de-0000-7000-8000-0000000000c1")
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const sfc = (letter: string) => `sfc_${clusterId}_${letter.repeat(43)}`

interface Sent {
  readonly method?: "GET" | "POST"
  readonly path: string
  readonly token: string | null
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

const send = Effect.fnUntraced(function* ({ method = "POST", path, token, body, headers = {} }: Sent) {
  const request = HttpClientRequest.make(method)(`${yield* baseUrl}${path}`).pipe(
    HttpClientRequest.setHeaders(headers),
    body === undefined ? (same) => same : HttpClientRequest.bodyText(body, "application/json"),
    token === null ? (same) => same : HttpClientRequest.bearerToken(token)
  )
  const response = yield* HttpClient.execute(request)
  return { status: response.status, text: yield* response.text, headers: response.headers }
})

const agentPath = (rest: string, cluster: string = clusterId) => `/api/v1/clusters/${cluster}/${rest}`
const named = (credential: string) => JSON.stringify({ credential_hash: sha256(credential) })
const join = (token: string | null, credential: string, cluster: string = clusterId) =>
  send({ path: agentPath("join", cluster), token, body: named(credential) })
const pull = (token: string, headers: Readonly<Record<string, string>> = {}) =>
  send({ method: "GET", path: agentPath("desired-state"), token, headers })

const operator = (method: "GET" | "POST", path: string) =>
  Effect.gen(function* () {
    const token = Redacted.value(operatorToken)
    const answer = yield* send({ method, path: `/operator/clusters/${path}`, token })
    return { status: answer.status, body: JSON.parse(answer.text) as unknown }
  })

const decodeToken = Schema.decodeUnknownSync(Schema.Struct({ joinToken: Schema.String, untilMs: Schema.Int }))

const joinToken = Effect.map(operator("POST", `${clusterId}/join-token`), ({ body }) => decodeToken(body))

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("AgentCredentialDoor", (it) => {
  it.effect(
    "INV-CLU-11 gives one agent its credential for a join token, and everybody else one and the same 401",
    () =>
      Effect.gen(function* () {
        yield* setUp
        const client = yield* clientOf(operatorToken)
        const registration = {
          requestId: requestId(),
          clusterId,
          name: Slug.make("customer"),
          region: "nyc3"
        }
        const registered = yield* client.RegisterCluster(registration)
        assert.strictEqual(registered.credential?.state, "none")
        const { joinToken: old } = yield* joinToken
        const { joinToken: token } = yield* joinToken
        assert.match(token, new RegExp(`^sfj_${clusterId}_[A-Za-z0-9_-]{43}$`))
        const other = ClusterId.make("0198c0de-0000-7000-8000-0000000000ff")
        const strangers = () =>
          Effect.all([
            join(null, sfc("a")),
            join("nonsense", sfc("a")),
            join(old, sfc("a")),
            join(`sfj_${clusterId}_${"x".repeat(43)}`, sfc("a")),
            join(`sfj_${other}_${"x".repeat(43)}`, sfc("a"), other),
            join(token, sfc("a"), other),
            join(sfc("a"), sfc("b")),
            join(Redacted.value(workspaceToken), sfc("a")),
            join(Redacted.value(operatorToken), sfc("a")),
            send({ path: agentPath("credential"), token, body: named(sfc("a")) }),
            pull(token)
          ])
        for (const { status, text } of yield* strangers()) {
          assert.strictEqual(status, 401, text)
          assert.strictEqual(text, (yield* join(null, sfc("a"))).text)
        }
        assert.strictEqual((yield* join(token, sfc("a"))).status, 204)
        assert.strictEqual((yield* join(token, sfc("a"))).status, 204, "the repeat of the same agent")
        const late = yield* join(token, sfc("b"))
        assert.strictEqual(late.status, 401)
        assert.strictEqual(late.text, (yield* join(null, sfc("a"))).text)
        assert.strictEqual((yield* pull(sfc("a"))).status, 200)
        assert.strictEqual((yield* pull(sfc("b"))).status, 401)
      })
  )

  it.effect(
    "INV-CLU-10 takes the next credential beside the present one, and uses it when the agent does",
    () =>
      Effect.gen(function* () {
        const offer = (token: string, next: string) =>
          send({ path: agentPath("credential"), token, body: named(next) })
        const client = Effect.flatMap(clientOf(operatorToken), (rpc) => rpc.GetCluster({ clusterId }))
        yield* operator("POST", `${clusterId}/credential/rotate`)
        assert.strictEqual((yield* pull(sfc("a"))).headers["starform-rotate-credential"], "asked")
        assert.strictEqual((yield* offer(sfc("a"), sfc("n"))).status, 204)
        const known = (yield* pull(sfc("a"))).headers["etag"] ?? ""
        const plain = { "if-none-match": known }
        assert.strictEqual((yield* pull(sfc("a"), plain)).status, 304)
        const used = yield* pull(sfc("n"), plain)
        assert.strictEqual(used.status, 304)
        assert.isUndefined(used.headers["starform-rotate-credential"])
        assert.strictEqual((yield* pull(sfc("a"), plain)).status, 304, "it was on its way")
        assert.strictEqual((yield* client).credential?.state, "valid")
      })
  )

  it.effect(
    "refuses a body that is none without saying what came, and a release that it does not serve",
    () =>
      Effect.gen(function* () {
        for (const body of [
          "",
          "{",
          "null",
          JSON.stringify({ credential_hash: sfc("z") }),
          " ".repeat(5000)
        ]) {
          const refused = yield* send({ path: agentPath("credential"), token: sfc("n"), body })
          assert.strictEqual(refused.status, 422, body)
          assert.notInclude(refused.text, "sfc_")
        }
        for (const headers of [
          { [versionHeader]: "latest" },
          { [formatHeader]: "-1" },
          { [formatHeader]: "1e9" }
        ]) {
          assert.strictEqual((yield* pull(sfc("n"), headers)).status, 422)
          assert.strictEqual(
            (yield* pull(sfc("z"), headers)).status,
            422,
            "told to whoever, so it tells nothing"
          )
        }
        const newer = { [versionHeader]: "9.0.0" }
        const known = (yield* pull(sfc("n"))).headers["etag"] ?? ""
        for (const headers of [newer, { ...newer, "if-none-match": known }]) {
          const refused = yield* pull(sfc("n"), headers)
          assert.strictEqual(refused.status, 426)
          assert.include(refused.text, "AgentNotServed")
        }
        assert.strictEqual((yield* pull(sfc("z"), newer)).status, 401)
        const served = yield* pull(sfc("n"), { [versionHeader]: starformVersion, [formatHeader]: "7" })
        assert.strictEqual(served.status, 200)
        assert.strictEqual(served.headers[standingHeader], "current")
      })
  )

  it.effect("INV-CLU-12 revokes, shows it, and keeps no token or hash where operators look", () =>
    Effect.gen(function* () {
      const shown = yield* operator("POST", `${clusterId}/credential/revoke`)
      assert.deepInclude(shown.body, { id: clusterId })
      assert.strictEqual((yield* pull(sfc("n"))).status, 401)
      const { joinToken: token } = yield* joinToken
      const looks = [
        yield* operator("GET", clusterId),
        yield* send({
          method: "GET",
          path: `/operator/entities/cluster/${clusterId}/journal`,
          token: Redacted.value(operatorToken)
        }),
        yield* send({
          method: "GET",
          path: `/operator/entities/cluster/${clusterId}`,
          token: Redacted.value(operatorToken)
        }),
        yield* send({ method: "GET", path: "/operator/audit", token: Redacted.value(operatorToken) })
      ]
      for (const look of looks) {
        assert.strictEqual(look.status, 200)
        const text = JSON.stringify(look)
        for (const secret of [token, sha256(token), sha256(sfc("a")), sha256(sfc("n"))]) {
          assert.notInclude(text, secret)
        }
      }
      assert.include(JSON.stringify(looks[1]), "AgentCredentialRevoked")
      for (const action of ["issue-join-token", "rotate-credential", "revoke-credential"]) {
        assert.include(JSON.stringify(looks[3]), action)
      }
      assert.strictEqual((yield* operator("GET", "nonsense")).status, 404)
      const unknown = yield* operator("POST", "0198c0de-0000-7000-8000-0000000000fe/join-token")
      assert.strictEqual(unknown.status, 404)
    })
  )
})
