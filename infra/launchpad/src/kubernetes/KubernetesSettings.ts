/** What the local cluster's API server is told. */
import type * as Redacted from "effect/Redacted"
import type { ServerCertificate } from "./ServerCertificate.ts"

export interface KubernetesSettings {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Plain HTTP without one, which kubectl refuses to send a token over. */
  readonly certificate: ServerCertificate | null
  /** Bearer tokens that may do everything. */
  readonly tokens: ReadonlyArray<Redacted.Redacted<string>>
  /** Of the object database. */
  readonly directory: string
  /** 32 bytes, base64; encrypts Secrets on disk. */
  readonly secretKey: Redacted.Redacted<string>
}

/** Largest request body, as in Kubernetes' own default for objects. */
export const bodyBytesMax = 3 * 1024 * 1024
