package things

import (
	"fmt"
	"maps"
	"slices"
)

// Extra are keys of one's own that a thing adds to every payload it publishes,
// behind the documented ones, in alphabetical order: {"room": "hall"}. Without
// them payloads are byte for byte the documented ones; with them, readers that
// go by keys do not notice.
type Extra map[string]string

// contractKeys are the keys that payloads have already.
var contractKeys = []string{
	"isMotionDetected", "lastClickedImage", "imageUri", "s3BucketName", "s3ItemName", "token",
	"utc_timestamp", "timestamp_utc", "sequence", "value", "origin", "status",
	"temperature", "humidity", "pressure", "gas_resistance",
}

// Validate refuses keys that a payload has already, and empty ones.
func (e Extra) Validate() error {
	for _, k := range slices.Sorted(maps.Keys(e)) {
		if k == "" || slices.Contains(contractKeys, k) {
			return fmt.Errorf("extra key %q: the payloads have it already, or it is empty; choose another", k)
		}
	}
	return nil
}

// add returns the object with the extra keys.
func (e Extra) add(object []byte) []byte {
	if len(e) == 0 {
		return object
	}
	o := newObject(object)
	for _, k := range slices.Sorted(maps.Keys(e)) {
		o.string(k, e[k])
	}
	return o.bytes()
}
