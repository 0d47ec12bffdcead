package things

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Extra are keys of one's own that a thing adds to every payload it publishes,
// behind the documented ones, in alphabetical order: {"room": "hall"}. Without
// them payloads are byte for byte the documented ones; with them, readers that
// go by keys do not notice.
type Extra map[string]string

// contractKeys are keys that no thing's payloads may have twice: those of the first kinds.
var contractKeys = []string{
	"isMotionDetected", "lastClickedImage", "imageUri", "s3BucketName", "s3ItemName", "token",
	"utc_timestamp", "timestamp_utc", "sequence", "value", "origin", "status",
	"temperature", "humidity", "pressure", "gas_resistance",
}

// Validate refuses keys that the payloads of a kind have already, and empty ones. A nil kind
// has only the keys that all have.
func (e Extra) Validate(k *Kind) error {
	for _, key := range e.keys() {
		if key == "" || slices.Contains(contractKeys, key) || k != nil && k.publishes(key) {
			return fmt.Errorf("extra key %q: the payloads have it already, or it is empty; choose another", key)
		}
	}
	return nil
}

// publishes reports whether documented payloads have a key. Whether there is a time, and its
// key, the settings say.
func (k *Kind) publishes(key string) bool {
	for _, t := range k.Topics {
		for _, p := range t.Payloads {
			var values map[string]any
			if !t.In && json.Unmarshal([]byte(p.Example), &values) == nil && key != DefaultTimeKey {
				if _, there := values[key]; there {
					return true
				}
			}
		}
	}
	return false
}

// keys are the extra keys in the order in which they are written.
func (e Extra) keys() []string { return slices.Sorted(maps.Keys(e)) }
