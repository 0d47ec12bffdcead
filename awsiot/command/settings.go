package command

import (
	"fmt"
	"strings"

	"pithings/conf"
	"pithings/mqttlink/topic"
)

// Settings are what a configuration says of commands.
type Settings struct {
	Enabled       bool          `json:"enabled" default:"false" change:"local" jsonschema:"whether commands are taken from cmd/ac/DEVICE/req, where DEVICE is the client id: every action of every thing, read, reconfigure, restart and diagnose"`
	ReplyPrefixes []string      `json:"reply_prefixes" change:"local" jsonschema:"how response topics may begin, beside cmd/: each ends with a slash, as in answers/"`
	Timeout       conf.Duration `json:"timeout" default:"30s" min:"1s" max:"10m" change:"afar" jsonschema:"how long a command may wait for its turn, and how long it may take; then it is answered with an error"`
	Concurrent    int           `json:"concurrent" default:"4" min:"1" max:"32" change:"afar" jsonschema:"most commands that run at a time; one thing runs one at a time"`
}

// Report reports what is wrong with the value at a path such as reply_prefixes[0].
type Report func(path, format string, args ...any)

// Check reports what the tags do not show.
func (s *Settings) Check(report Report) {
	for i, p := range s.ReplyPrefixes {
		at := fmt.Sprintf("reply_prefixes[%d]", i)
		switch err := topic.Check(p); {
		case err != nil:
			report(at, "%v", err)
		case strings.HasPrefix(p, "$"):
			report(at, "%s begins with $: brokers keep these topics for themselves", conf.Quote(p))
		case !strings.HasSuffix(p, "/") || strings.Trim(p, "/") == "":
			report(at, "%s is not the beginning of a topic up to a slash; write for example answers/", conf.Quote(p))
		}
	}
}
