/**
 * Shuttle and Kubernetes of one cluster, seen from Starbase's door: it pulls, applies what is desired after a while, and
 * reports, all by HTTP. It keeps the rules that the agent has to keep (never a lower ordinal, a delta only onto its base,
 * the hash of the whole).
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import { type DesiredApp, DesiredState, type Tombstone } from "@starform/domain/desired/DesiredState"
import { appHashInput, documentHashInput } from "@starform/domain/desired/DocumentHash"
import type { ClusterId } from "@starform/domain/ids/Ids"
import { Revision } from "@starform/domain/ids/Revision"
import { type ObservedApp, StatusReport } from "@starform/domain/observed/ObservedApp"
import type { AppAtRest, RevisionsSeen } from "../invariants/Evidence.ts"
import type { Deployment, HttpAnswer } from "./Deployment.ts"
import type { Process } from "./World.ts"

/** What the cluster makes of a release, and how its agent behaves; all by chance while it storms. */
export interface ClusterFaults {
  readonly applyMs: (app: DesiredApp) => number
  readonly isBad: (app: DesiredApp) => boolean
  /** Whether an agent that is there has something to say. */
  readonly reportOf: () => "sent" | "lost"
  /** How long a pull waits; 0 is one that does not, as the fall-back of an agent whose waiting pulls break. */
  readonly waitMs: () => number
}

/** What the agent holds. */
interface Document {
  readonly revision: Revision | null
  readonly apps: ReadonlyMap<string, DesiredApp>
}

const nothing: Document = { revision: null, apps: new Map() }

interface Applied {
  readonly entry: DesiredApp
  phase: ObservedApp["phase"]
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

const decodeDocument = Schema.decodeUnknownSync(Schema.fromJsonString(DesiredState))
const decodeRevision = Schema.decodeUnknownSync(Revision)
const encodeReport = Schema.encodeSync(Schema.fromJsonString(StatusReport))

/** Whether the document that came of an answer is the one that Starbase meant. */
const isWhole = (
  apps: ReadonlyMap<string, DesiredApp>,
  { hash, tombstones, clusterConfig }: DesiredState
) => {
  const hashes = Array.from(apps, ([appId, app]) => [appId, sha256(appHashInput(app))] as const)
  return hash === `sha256:${sha256(documentHashInput(hashes, tombstones, clusterConfig))}`
}

const plainPullEveryMs = 5_000

const reportEveryMs = 10_000

export class ModelCluster {
  readonly told: Array<RevisionsSeen> = []
  readonly problems: Array<string> = []
  /** What runs, by app. */
  readonly applied = new Map<string, Applied>()
  private document = nothing
  /** The next pull asks for all of it. */
  private wantsWhole = false
  private kept: Array<Document> = []
  private incarnation = 0
  private seen: Array<Revision> = []
  private readonly options: {
    readonly clusterId: ClusterId
    readonly name: string
    readonly token: string
    readonly outside: Process
    readonly deployment: Deployment
    readonly faults: ClusterFaults
  }

  constructor(options: ModelCluster["options"]) {
    this.options = options
    this.restart("at once")
    options.outside.fork(this.reportForever())
  }

  /** The agent ends and begins with a document that it had before, or with none; what runs goes on running. */
  restart(how: "at once" | "from the last" | "from an older one" | "from nothing"): void {
    const { outside, name, clusterId } = this.options
    if (how !== "at once") outside.world.note(name, `agent restarts ${how}`)
    const older =
      how === "from an older one" ? this.kept.at(-3) : how === "from the last" ? this.document : undefined
    this.document = older ?? nothing
    this.wantsWhole = false
    this.incarnation++
    this.seen = []
    this.told.push({ cluster: clusterId, observer: `${name}.${this.incarnation}`, revisions: this.seen })
    outside.fork(this.pullForever(this.incarnation))
  }

  private url(what: string): string {
    return `http://starbase/api/v1/clusters/${this.options.clusterId}/${what}`
  }

  private pullForever(incarnation: number): Effect.Effect<void> {
    const { deployment, faults, name, outside, token } = this.options
    return Effect.gen({ self: this }, function* () {
      while (this.incarnation === incarnation) {
        const seconds = faults.waitMs() / 1_000
        const known = this.document.revision
        const pull = HttpClientRequest.get(this.url("desired-state"), {
          headers: {
            authorization: `Bearer ${token}`,
            ...(known === null ? {} : { "if-none-match": `"${known}"` }),
            ...(known === null || seconds === 0 ? {} : { prefer: `wait=${seconds}` }),
            ...(this.wantsWhole ? { "accept-delta": "no" } : {})
          }
        })
        const answer = yield* deployment.request("pull", pull).pipe(
          Effect.timeout(seconds * 1_000 + 25_000),
          Effect.tapError(({ _tag }) =>
            Effect.sync(() => outside.world.note(name, `pull of ${known}: ${_tag}`))
          ),
          Effect.orElseSucceed(() => undefined)
        )
        const isTaken = answer !== undefined && this.incarnation === incarnation && this.take(known, answer)
        if (!isTaken) yield* Effect.sleep(500)
        else if (seconds === 0) yield* Effect.sleep(plainPullEveryMs)
      }
    })
  }

  /** Answers whether there was something to take. */
  private take(known: Revision | null, { status, headers, body }: HttpAnswer): boolean {
    const { outside, name } = this.options
    if (status !== 200 && status !== 304) {
      outside.world.note(name, `pull of ${known}: ${status}`)
      if (status !== 401 && status !== 429 && status !== 503)
        this.problems.push(`${name}: a pull was answered ${status}`)
      return false
    }
    const revision = decodeRevision(headers["etag"]?.replaceAll('"', ""))
    this.seen.push(revision)
    if (status === 304) {
      outside.world.note(name, `is told nothing beyond ${revision}`)
      return true
    }
    const document = decodeDocument(body)
    outside.world.note(name, `pulls ${document.kind} ${revision}`)
    if (document.kind === "delta" && document.base !== known) {
      this.problems.push(`${name}: a delta onto ${document.base}, and it holds ${known}`)
    }
    const apps = new Map(document.kind === "full" ? [] : this.document.apps)
    for (const app of document.kind === "full" ? document.apps : document.changed) apps.set(app.appId, app)
    for (const { appId } of document.tombstones) apps.delete(appId)
    this.wantsWhole = !isWhole(apps, document)
    if (this.wantsWhole) {
      this.problems.push(`${name}: ${document.kind} ${revision} is not what its hash says`)
      return false
    }
    this.document = { revision, apps }
    this.kept = [...this.kept, this.document].slice(-5)
    for (const app of apps.values()) this.apply(app)
    for (const tombstone of document.tombstones) this.remove(tombstone)
    return true
  }

  private remove({ appId, ordinal }: Tombstone): void {
    const present = this.applied.get(appId)
    if (present !== undefined && present.entry.ordinal > ordinal) return
    this.options.outside.after(500, () => {
      const now = this.applied.get(appId)
      if (now !== undefined && now.entry.ordinal > ordinal) return
      this.applied.delete(appId)
      this.report([
        {
          appId,
          deployId: null,
          releaseId: null,
          ordinal,
          phase: "absent",
          processes: [],
          reason: null,
          output: []
        }
      ])
    })
  }

  private apply(entry: DesiredApp): void {
    const present = this.applied.get(entry.appId)
    if (present !== undefined && present.entry.ordinal >= entry.ordinal) return
    const { faults, outside, name } = this.options
    // A new entry of the very same release and pods: nothing to roll out.
    const isSame =
      present?.phase === "available" &&
      present.entry.releaseId === entry.releaseId &&
      present.entry.restartNonce === entry.restartNonce
    const applied: Applied = { entry, phase: isSame ? "available" : "progressing" }
    this.applied.set(entry.appId, applied)
    this.report([this.observed(applied)])
    if (isSame) return
    outside.after(faults.applyMs(entry), () => {
      if (this.applied.get(entry.appId) !== applied) return
      applied.phase = faults.isBad(entry) ? "failed" : "available"
      outside.world.note(name, `${applied.phase} ${entry.serviceName} #${entry.ordinal}`)
      this.report([this.observed(applied)])
    })
  }

  running(appId: string): AppAtRest["observed"] {
    const applied = this.applied.get(appId)
    if (applied === undefined) return null
    const { entry, phase } = applied
    return { ordinal: entry.ordinal, releaseId: entry.releaseId, phase }
  }

  private observed({ entry, phase }: Applied): ObservedApp {
    const { appId, deployId, releaseId, ordinal } = entry
    const reason =
      phase === "failed" ? { code: "CrashLoopBackOff", message: "ends right after its start" } : null
    return { appId, deployId, releaseId, ordinal, phase, processes: [], reason, output: [] }
  }

  private report(apps: ReadonlyArray<ObservedApp>): void {
    const { deployment, faults, name, outside, token } = this.options
    if (faults.reportOf() === "lost" || apps.length === 0) return
    const { revision } = this.document
    const report = HttpClientRequest.post(this.url("status"), {
      headers: { authorization: `Bearer ${token}` }
    }).pipe(
      HttpClientRequest.bodyText(encodeReport({ revision, apps, complete: false, agentVersion: "model" }))
    )
    const sent = deployment.request("report", report).pipe(
      Effect.timeout(25_000),
      Effect.map(({ status }) => {
        if (status === 400 || status === 500) this.problems.push(`${name}: a report was answered ${status}`)
      }),
      Effect.ignore
    )
    outside.fork(sent)
  }

  private reportForever(): Effect.Effect<void> {
    return Effect.sync(() => this.report([...this.applied.values()].map((app) => this.observed(app)))).pipe(
      Effect.delay(reportEveryMs),
      Effect.forever
    )
  }
}
