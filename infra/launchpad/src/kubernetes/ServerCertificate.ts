/** A certificate for 127.0.0.1 that nobody but this machine's kubeconfig trusts: kubectl sends no token without TLS. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { generate } from "selfsigned"

export interface ServerCertificate {
  /** PEM; is its own authority. */
  readonly certificate: string
  readonly privateKey: Redacted.Redacted<string>
}

export class CertificateFailed extends Schema.TaggedError<CertificateFailed>()("CertificateFailed", {
  cause: Schema.Defect()
}) {
  override get message() {
    return "the local cluster's certificate could not be made"
  }
}

/** Valid for ten years: it leaves with the state folder. */
const validDays = 3650

export const make = (nowMs: number): Effect.Effect<ServerCertificate, CertificateFailed> =>
  Effect.tryPromise({
    try: () =>
      generate([{ name: "commonName", value: "starform-launchpad" }], {
        keyType: "ec",
        curve: "P-256",
        algorithm: "sha256",
        notBeforeDate: DateTime.toDateUtc(DateTime.makeUnsafe(nowMs - 60_000)),
        notAfterDate: DateTime.toDateUtc(DateTime.makeUnsafe(nowMs + validDays * 86_400_000)),
        extensions: [
          { name: "basicConstraints", cA: true, critical: true },
          { name: "keyUsage", digitalSignature: true, keyCertSign: true, critical: true },
          { name: "extKeyUsage", serverAuth: true },
          {
            name: "subjectAltName",
            altNames: [
              { type: 7, ip: "127.0.0.1" },
              { type: 2, value: "localhost" }
            ]
          }
        ]
      }),
    catch: (cause) => new CertificateFailed({ cause })
  }).pipe(Effect.map(({ cert, private: key }) => ({ certificate: cert, privateKey: Redacted.make(key) })))
