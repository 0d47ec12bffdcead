package defender

import (
	"fmt"
	"regexp"

	"pithings/conf"
)

// Settings are what a configuration says of the reports.
type Settings struct {
	Enabled  bool          `json:"enabled" default:"false" change:"local" jsonschema:"whether this device reports to AWS IoT Device Defender on which ports programs listen, its connections and how much it sends"`
	Interval conf.Duration `json:"interval" default:"5m" min:"5m" max:"24h" change:"afar" jsonschema:"time between two reports; AWS takes none that come faster than each 5m"`
	Format   string        `json:"format" default:"json" enum:"json,cbor" change:"afar" jsonschema:"how reports are written; cbor is a quarter shorter"`
	Names    string        `json:"names" default:"long" enum:"long,short" change:"afar" jsonschema:"names of the keys in reports; short ones are AWS's too: hed, rid, met"`
	Custom   []Custom      `json:"custom" jsonschema:"values of things as custom metrics, which have to be made at AWS before, of type number"`
}

// Custom is a value of a thing that is reported as a custom metric.
type Custom struct {
	Metric   string `json:"metric" required:"write the name that the metric has at AWS" change:"afar" jsonschema:"name of the metric at AWS: letters, digits, : _ -"`
	Thing    string `json:"thing" required:"write the name of a thing" change:"afar" jsonschema:"name of the thing"`
	Quantity string `json:"quantity" required:"write what it measures, such as temperature" change:"afar" jsonschema:"quantity of the thing, such as temperature"`
}

// The values of Settings.Format and Settings.Names.
const (
	JSON  = "json"
	CBOR  = "cbor"
	Long  = "long"
	Short = "short"
)

// maxCustom bounds the custom metrics of a report.
const maxCustom = 30

// metricName is what AWS takes as the name of a custom metric (CreateCustomMetric).
var metricName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)

// Report reports what is wrong with the value at a path such as custom[0].metric.
type Report func(path, format string, args ...any)

// Check reports what the tags do not show.
func (s *Settings) Check(report Report) {
	if len(s.Custom) > maxCustom {
		report("custom", "%d custom metrics are too many; at most %d are reported", len(s.Custom), maxCustom)
	}
	seen := map[string]bool{}
	for i := range s.Custom {
		c := &s.Custom[i]
		at := fmt.Sprintf("custom[%d]", i)
		for _, f := range conf.Fields(c) {
			if f.Value.IsZero() {
				report(at, "custom: item %d has no %s; %s", i+1, f.Key, f.Tag.Get("required"))
			}
		}
		switch {
		case c.Metric == "":
		case !metricName.MatchString(c.Metric):
			report(at+".metric", "%s is no name of a custom metric: give up to 128 letters, digits, : _ -", conf.Quote(c.Metric))
		case seen[c.Metric]:
			report(at+".metric", "there are two custom metrics %s; names must differ", conf.Quote(c.Metric))
		}
		seen[c.Metric] = true
	}
}
