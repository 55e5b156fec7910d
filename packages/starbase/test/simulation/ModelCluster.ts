/**
 * Shuttle and Kubernetes of one cluster, seen from Starbase: it pulls, applies what is desired after a while, and reports.
 * It keeps the rules that the agent has to keep (never a lower ordinal, a delta only onto its base).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { AppId } from "@starform/domain/ids/AppId"
import type { ClusterId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import type { DesiredEntry } from "@starform/starbase/desired/DesiredEntry"
import type { DesiredAnswer } from "@starform/starbase/entities/cluster/ClusterEntity"
import type { AppAtRest, RevisionsSeen } from "../invariants/Evidence.ts"
import type { Deployment } from "./Deployment.ts"
import type { Process } from "./World.ts"

/** What the cluster makes of a release, and how its agent behaves; all by chance while it storms. */
export interface ClusterFaults {
  readonly applyMs: (entry: DesiredEntry) => number
  readonly isBad: (entry: DesiredEntry) => boolean
  readonly reportOf: () => "sent" | "lost" | "doubled"
  readonly waitMs: () => number
}

interface Document {
  readonly revision: Revision | null
  readonly entries: ReadonlyMap<string, DesiredEntry>
}

interface Applied {
  readonly entry: DesiredEntry
  phase: ObservedApp["phase"]
}

const nameOfCause = (cause: Cause.Cause<unknown>): string => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(cause)
}

const reportEveryMs = 10_000

export class ModelCluster {
  readonly told: Array<RevisionsSeen> = []
  readonly problems: Array<string> = []
  /** What runs, by app. */
  readonly applied = new Map<string, Applied>()
  private document: Document = { revision: null, entries: new Map() }
  private kept: Array<Document> = []
  private incarnation = 0
  private seen: Array<Revision> = []
  private readonly options: {
    readonly clusterId: ClusterId
    readonly name: string
    readonly tokenHash: string
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
    this.document = older ?? { revision: null, entries: new Map() }
    this.incarnation++
    this.seen = []
    this.told.push({ cluster: clusterId, observer: `${name}.${this.incarnation}`, revisions: this.seen })
    outside.fork(this.pullForever(this.incarnation))
  }

  private pullForever(incarnation: number): Effect.Effect<void> {
    const { clusterId, deployment, faults, name, outside, tokenHash } = this.options
    return Effect.gen({ self: this }, function* () {
      while (this.incarnation === incarnation) {
        const waitMs = faults.waitMs()
        const known = this.document.revision
        const answer = yield* deployment
          .ask((clients) =>
            clients.cluster(
              clusterId,
              (cluster) =>
                cluster.AwaitDesired({ agentTokenHash: tokenHash, known, waitMs, allowDelta: true }),
              waitMs
            )
          )
          .pipe(
            Effect.timeout(waitMs + 25_000),
            Effect.tapCause((cause) =>
              Effect.sync(() => outside.world.note(name, `pull of ${known}: ${nameOfCause(cause)}`))
            ),
            Effect.catchCause(() => Effect.as(Effect.sleep(500), undefined))
          )
        if (answer !== undefined && this.incarnation === incarnation) this.take(answer)
      }
    })
  }

  private take(answer: DesiredAnswer): void {
    const { outside, name } = this.options
    this.seen.push(answer.revision)
    if (answer._tag === "Unchanged")
      return outside.world.note(name, `is told nothing beyond ${answer.revision}`)
    const whole = new Map(answer.entries.map((entry) => [entry.appId as string, entry]))
    if (answer._tag === "Delta") {
      if (answer.base !== this.document.revision) this.problems.push(`${name}: a delta onto ${answer.base}`)
      const entries = new Map(this.document.entries)
      for (const { appId } of answer.tombstones) entries.delete(appId)
      for (const appId of answer.changed) entries.set(appId, whole.get(appId)!)
      const differs = [...whole].find(([appId, { ordinal }]) => entries.get(appId)?.ordinal !== ordinal)
      if (differs !== undefined || entries.size !== whole.size) {
        this.problems.push(`${name}: the delta ${answer.base} to ${answer.revision} misses ${differs?.[0]}`)
      }
    }
    outside.world.note(name, `pulls ${answer._tag} ${answer.revision}`)
    this.document = { revision: answer.revision, entries: whole }
    this.kept = [...this.kept, this.document].slice(-5)
    for (const entry of whole.values()) this.apply(entry)
    for (const { appId, ordinal } of answer.tombstones) this.remove(appId, ordinal)
  }

  private remove(appId: string, ordinal: number): void {
    const present = this.applied.get(appId)
    if (present !== undefined && present.entry.ordinal > ordinal) return
    this.options.outside.after(500, () => {
      const now = this.applied.get(appId)
      if (now !== undefined && now.entry.ordinal > ordinal) return
      this.applied.delete(appId)
      this.report([
        {
          appId: AppId.make(appId),
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

  private apply(entry: DesiredEntry): void {
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
    const { clusterId, deployment, faults, outside, tokenHash } = this.options
    const fate = faults.reportOf()
    if (fate === "lost" || apps.length === 0) return
    const revision = this.document.revision
    const send = deployment
      .ask((clients) =>
        clients.cluster(clusterId, (cluster) =>
          cluster.Report({
            agentTokenHash: tokenHash,
            report: { revision, apps, complete: false, agentVersion: "model" }
          })
        )
      )
      .pipe(Effect.timeout(25_000), Effect.ignore)
    outside.fork(send)
    if (fate === "doubled") outside.fork(send)
  }

  private reportForever(): Effect.Effect<void> {
    return Effect.sync(() => this.report([...this.applied.values()].map((app) => this.observed(app)))).pipe(
      Effect.delay(reportEveryMs),
      Effect.forever
    )
  }
}
