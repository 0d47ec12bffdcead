package shadow

import (
	"slices"
	"strings"
	"testing"

	"pithings/awsiot/internal/jsonvalue"
)

// What has no room beside what is desired and rejected is left out, the largest first, and the
// rest is a document that the cloud takes.
func TestFit(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	for _, x := range []struct {
		name              string
		reported, desired map[string]any
		rejected          map[string]string
		left              []string
	}{
		{name: "room", reported: map[string]any{"a": text(3000), "b": text(3000)}},
		{name: "the largest", reported: map[string]any{"a": text(4000), "b": text(4500), "c": "1"}, left: []string{"b"}},
		{name: "beside what is desired", reported: map[string]any{"a": text(3000), "b": text(2000), "c": "1"}, desired: map[string]any{"d": text(4000)}, left: []string{"a"}},
		{name: "beside reasons", reported: map[string]any{"a": text(7400), "c": "1"}, rejected: map[string]string{"x": text(120), "y": text(120)}, left: []string{"a"}},
		{name: "nothing has room", reported: map[string]any{"a": "1", "keep": text(600)}, desired: map[string]any{"d": text(8000)}, left: []string{"a"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			before := string(jsonvalue.Encode(x.reported))
			o := Outcome{Reported: x.reported, Rejected: x.rejected}
			left := o.Fit(x.desired, "keep")
			if !slices.Equal(left, x.left) || string(jsonvalue.Encode(x.reported)) != before {
				t.Errorf("%v is left out", left)
			}
			for _, key := range left {
				if _, there := o.Reported[key]; there {
					t.Errorf("%s is reported", key)
				}
			}
			if _, keeps := x.reported["keep"]; keeps && o.Reported["keep"] == nil {
				t.Error("what is to be kept is left out")
			}
			all := map[string]any{"connected": true, "version": "v1.2.3"}
			for key, v := range o.Reported {
				all[key] = v
			}
			if len(x.rejected) > 0 {
				all[rejectedKey] = reasons(x.rejected)
			}
			if err := checkSize(all, x.desired); err != nil && len(o.Reported) > 1 {
				t.Error(err)
			}
		})
	}
}
