import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import { blobStoreConformance } from "./BlobStore.conformance.ts"

blobStoreConformance("BlobStoreMemory", BlobStoreMemory.layer)
