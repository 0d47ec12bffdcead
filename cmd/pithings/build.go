package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// These are set by the linker (Makefile). The same source makes the same binary, so
// nothing here depends on where or when it was built.
var (
	version = "unknown"
	commit  = "" // the hash of the commit that it was built from
	built   = "" // when that was made, in seconds since 1970
)

// buildInfo is what version --json prints. Its keys stay (docs/agent.md).
type buildInfo struct {
	Version string            `json:"version"`
	Commit  string            `json:"commit,omitempty"`
	Built   string            `json:"built,omitempty"`
	Go      string            `json:"go"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	ARM     string            `json:"arm,omitempty"` // GOARM, such as 6
	Modules map[string]string `json:"modules,omitempty"`
}

// buildTime is when the source was committed; zero when the program does not know. A build
// by go itself comes from the repository.
func buildTime() time.Time {
	if s, err := strconv.ParseInt(built, 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	t, _ := time.Parse(time.RFC3339, buildSetting("vcs.time")) // zero if there is none
	return t
}

// buildSetting is one that the compiler was called with; empty when it is not known.
func buildSetting(key string) string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == key {
				return s.Value
			}
		}
	}
	return ""
}

func buildVersion() buildInfo {
	v := buildInfo{
		Version: version, Commit: cmp.Or(commit, buildSetting("vcs.revision")),
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, ARM: buildSetting("GOARM"),
		Modules: map[string]string{},
	}
	if t := buildTime(); !t.IsZero() {
		v.Built = t.UTC().Format(time.RFC3339)
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, m := range b.Deps {
			v.Modules[m.Path] = m.Version
		}
	}
	return v
}
