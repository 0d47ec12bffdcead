package quietlog

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// The least level is that of a line's thing, else of its part, else of all, else of the log.
func TestLevels(t *testing.T) {
	var out bytes.Buffer
	limited, end := Limit(slog.New(slog.NewTextHandler(&out, nil)))
	defer end()
	r := new(Recent)
	r.Keep(true)
	log := r.Below(limited)
	links, gateway := Part(log, "links"), Part(log, "things").With("service", "gateway")
	porch := Part(log, "things").With("thing", "porch")
	door := links.With("connection", "door")
	// say logs a line of each at each level, and returns which were written.
	say := func() (written []string) {
		t.Helper()
		out.Reset()
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
			for name, l := range map[string]*slog.Logger{"agent": log, "links": links, "gateway": gateway, "porch": porch, "door": door} {
				l.Log(t.Context(), level, name)
			}
			log.Log(t.Context(), level, "attic", "thing", "attic")
		}
		for line := range strings.Lines(out.String()) {
			f := strings.Fields(line)
			written = append(written, strings.TrimPrefix(f[2], "msg=")+" "+strings.TrimPrefix(f[1], "level="))
		}
		slices.Sort(written)
		return written
	}
	everything := func(levels ...string) (all []string) {
		for _, name := range []string{"agent", "attic", "door", "gateway", "links", "porch"} {
			for _, l := range levels {
				all = append(all, name+" "+l)
			}
		}
		return all
	}
	for _, tc := range []struct {
		name string
		set  Levels
		want []string
	}{
		{"none", nil, everything("INFO", "WARN")},
		{"a part", Levels{"links": slog.LevelDebug}, append([]string{"door DEBUG", "links DEBUG"}, everything("INFO", "WARN")...)},
		{"a service", Levels{"gateway": slog.LevelDebug}, append([]string{"gateway DEBUG"}, everything("INFO", "WARN")...)},
		{"a thing", Levels{"attic": slog.LevelDebug}, append([]string{"attic DEBUG"}, everything("INFO", "WARN")...)},
		{"another thing", Levels{"porch": slog.LevelDebug, "door": slog.LevelWarn}, slices.DeleteFunc(append([]string{"porch DEBUG"}, everything("INFO", "WARN")...), func(s string) bool { return s == "door INFO" })},
		{"all", Levels{All: slog.LevelWarn}, everything("WARN")},
		{"all but one", Levels{All: slog.LevelWarn, "links": slog.LevelInfo}, append([]string{"door INFO", "links INFO"}, everything("WARN")...)},
		{"the agent itself", Levels{Unnamed: slog.LevelError}, slices.DeleteFunc(everything("INFO", "WARN"), func(s string) bool { return strings.HasPrefix(s, "agent") || strings.HasPrefix(s, "attic") })},
		{"none again", Levels{}, everything("INFO", "WARN")},
	} {
		if !SetLevels(log, tc.set) {
			t.Fatal("no levels")
		}
		slices.Sort(tc.want)
		if got := say(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	parts := map[string]string{}
	for _, l := range r.Lines() {
		parts[l.Message] = l.Part
	}
	for name, want := range map[string]string{"agent": "agent", "links": "links", "gateway": "gateway", "porch": "things", "door": "links"} {
		if parts[name] != want {
			t.Errorf("a line of %s is of part %q", name, parts[name])
		}
	}
	if SetLevels(slog.New(slog.DiscardHandler), nil) || Part(limited, "x") == limited {
		t.Error("a log without bounds has levels")
	}
}

// A follower gets each line that is kept, until it stops.
func TestRecentIsFollowed(t *testing.T) {
	r := new(Recent)
	r.Keep(true)
	log := r.Below(slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	var got []string
	stop := r.Follow(func(l Line) { got = append(got, l.Message+" "+l.Attrs) })
	log.Info("one", "n", 1)
	log.Debug("below the level")
	stop()
	log.Info("two")
	if !slices.Equal(got, []string{"one n=1"}) {
		t.Errorf("%q", got)
	}
}
