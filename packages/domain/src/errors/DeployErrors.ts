/** Errors about deploys and releases. */
import * as Schema from "effect/Schema"
import { AppId } from "../ids/AppId.ts"
import { DeployId } from "../ids/Ids.ts"
import { annotation, type Reaction, type WireError } from "./Reaction.ts"

/** A newer deploy of the app decided already; this write came late and changed nothing. */
export class Superseded
  extends Schema.TaggedError<Superseded>()(
    "Superseded",
    { appId: AppId, ordinal: Schema.Int, currentOrdinal: Schema.Int },
    annotation("readAgain")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return "A newer deploy of this app is in charge."
  }
  override get message() {
    return `${this.appId}: ordinal ${this.ordinal} is below ${this.currentOrdinal}`
  }
}

/** The deploy has reached a terminal phase; nothing can change it any more. */
export class DeployEnded
  extends Schema.TaggedError<DeployEnded>()(
    "DeployEnded",
    { deployId: DeployId, phase: Schema.String },
    annotation("readAgain")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return `This deploy has ended: it is ${this.phase}.`
  }
  override get message() {
    return `deploy ${this.deployId} is ${this.phase}`
  }
}

/** There is no release to go to: the app was never live, or only this release ever was. */
export class NoEarlierRelease
  extends Schema.TaggedError<NoEarlierRelease>()(
    "NoEarlierRelease",
    { appId: AppId },
    annotation("readAgain")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return "There is no earlier release to roll back to."
  }
  override get message() {
    return `${this.appId} has no earlier release`
  }
}

/** The app has no release yet, so there is nothing to restart or configure into being. */
export class NothingLive
  extends Schema.TaggedError<NothingLive>()("NothingLive", { appId: AppId }, annotation("readAgain"))
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return "Nothing is live yet. Push first."
  }
  override get message() {
    return `${this.appId} has no live release`
  }
}
