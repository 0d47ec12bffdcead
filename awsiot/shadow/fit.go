package shadow

import (
	"maps"
	"slices"

	"pithings/awsiot/internal/jsonvalue"
)

// spare is what Fit leaves of a document for values that are reported beside an outcome, in bytes.
const spare = 512

// Fit takes the largest keys out of what is reported until it has room in a document beside what
// is desired and rejected, and returns them. Those of keep are never among them.
func (o *Outcome) Fit(desired map[string]any, keep ...string) (left []string) {
	reported, err := normal(o.Reported)
	if err != nil {
		return nil // Applied has the reason
	}
	room := MaxDocument - spare - len(jsonvalue.Encode(desired)) - len(jsonvalue.Encode(map[string]any{rejectedKey: reasons(o.Rejected)}))
	all := maps.Clone(o.Reported)
	for len(jsonvalue.Encode(reported)) > room {
		candidates := maps.Clone(reported)
		maps.DeleteFunc(candidates, func(key string, _ any) bool { return slices.Contains(keep, key) })
		key, _ := largest(candidates)
		if key == "" {
			break
		}
		delete(reported, key)
		delete(all, key)
		left = append(left, key)
	}
	o.Reported = all
	return left
}
