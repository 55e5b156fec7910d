/** Which store: the Secret that the settings name, else the file. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type { KubernetesConnection } from "../kubernetes/KubernetesConnection.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import * as CredentialFile from "./CredentialFile.ts"
import * as CredentialSecret from "./CredentialSecret.ts"
import type { CredentialStore } from "./CredentialStore.ts"

export const layer: Layer.Layer<
  CredentialStore,
  never,
  ShuttleConfig | KubernetesConnection | FileSystem.FileSystem | Path.Path
> = Layer.unwrap(
  Effect.map(
    ShuttleConfig,
    ({
      credentialSecret
    }): Layer.Layer<
      CredentialStore,
      never,
      ShuttleConfig | KubernetesConnection | FileSystem.FileSystem | Path.Path
    > =>
      Option.isSome(credentialSecret) ? CredentialSecret.layer(credentialSecret.value) : CredentialFile.layer
  )
)
