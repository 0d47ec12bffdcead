package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := buildVersion()
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "pithings %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON, with the modules used")
	return c
}

type buildInfo struct {
	Version string            `json:"version"`
	Source  string            `json:"source,omitempty"` // when it was committed
	Go      string            `json:"go"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	Modules map[string]string `json:"modules,omitempty"`
}

// built is set by the linker: when the source that this program is built from was
// committed, in seconds since 1970. The same source makes the same binary.
var built = ""

// buildTime is when that was; zero when the program does not know. A build by go
// itself is told by the repository.
func buildTime() time.Time {
	if s, err := strconv.ParseInt(built, 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.time" {
				t, _ := time.Parse(time.RFC3339, s.Value)
				return t
			}
		}
	}
	return time.Time{}
}

func buildVersion() buildInfo {
	v := buildInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Modules: map[string]string{}}
	if t := buildTime(); !t.IsZero() {
		v.Source = t.UTC().Format(time.RFC3339)
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, m := range b.Deps {
			v.Modules[m.Path] = m.Version
		}
	}
	return v
}
