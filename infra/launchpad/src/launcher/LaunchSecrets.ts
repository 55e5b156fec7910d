/** The secrets of one machine's platform: made at first start, kept in files that only their owner reads (INV-LCH-2). */
import { randomBytes, randomUUID } from "node:crypto"
import { join } from "node:path"
import { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Redacted from "effect/Redacted"

export interface LaunchSecrets {
  readonly directory: string
  readonly clusterId: ClusterId
  readonly workspaceId: WorkspaceId
  /** 32 bytes, base64; wraps the data keys of workspaces. */
  readonly masterKey: Redacted.Redacted<string>
  readonly operatorToken: Redacted.Redacted<string>
  readonly workspaceToken: Redacted.Redacted<string>
  readonly agentToken: Redacted.Redacted<string>
  /** Bearer token of the local Kubernetes API. */
  readonly kubernetesToken: Redacted.Redacted<string>
  /** 32 bytes, base64; encrypts Secret objects of the local cluster on disk. */
  readonly kubernetesKey: Redacted.Redacted<string>
}

const token = () => randomBytes(32).toString("base64url")
const key = () => randomBytes(32).toString("base64")

/** @param directory made with mode 0700 when it is not there */
export const load = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<LaunchSecrets, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
  yield* fs.chmod(directory, 0o700)

  const kept = Effect.fnUntraced(function* (name: string, make: () => string) {
    const file = join(directory, name)
    if (yield* fs.exists(file)) return (yield* fs.readFileString(file)).trim()
    const text = make()
    yield* fs.writeFileString(file, `${text}\n`, { mode: 0o600, flag: "wx" })
    return text
  })
  const secret = (name: string, make: () => string) =>
    Effect.map(kept(name, make), (text) => Redacted.make(text))

  const clusterId = ClusterId.make(yield* kept("cluster-id", randomUUID))
  const workspaceId = WorkspaceId.make(yield* kept("workspace-id", randomUUID))
  return {
    directory,
    clusterId,
    workspaceId,
    masterKey: yield* secret("master-key", key),
    operatorToken: yield* secret("operator-token", () => `sfo_${token()}`),
    workspaceToken: yield* secret("workspace-token", () => `sfw_${workspaceId}_${token()}`),
    agentToken: yield* secret("agent-token", () => `sfc_${clusterId}_${token()}`),
    kubernetesToken: yield* secret("kubernetes-token", token),
    kubernetesKey: yield* secret("kubernetes-key", key)
  }
})
