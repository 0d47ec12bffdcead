package flowhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/engine"
)

// kitchen is the things and web services that recipes use. It notes the commands and requests that they get.
type kitchen struct {
	mu     sync.Mutex
	lines  []string
	fails  int // captures
	events map[string]func(map[string]any, time.Time)
}

// utensil is one of the things.
type utensil struct {
	k    *kitchen
	name string
}

func (u *utensil) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	u.k.mu.Lock()
	defer u.k.mu.Unlock()
	before := u.k.events[u.name]
	u.k.events[u.name] = func(values map[string]any, at time.Time) {
		if before != nil {
			before(values, at)
		}
		fn(values, at)
	}
	return func() {}, nil
}

func (u *utensil) Call(_ context.Context, action string, input map[string]any) (map[string]any, error) {
	if action == "capture" {
		time.Sleep(time.Second)
	}
	u.k.mu.Lock()
	defer u.k.mu.Unlock()
	u.k.note(u.name, action, input)
	if action != "capture" {
		return nil, nil
	}
	if u.k.fails > 0 {
		u.k.fails--
		return nil, errors.New("no picture")
	}
	return map[string]any{"lastClickedImage": u.name + ".jpg"}, nil
}

// Call implements engine.Services.
func (k *kitchen) Call(_ context.Context, service, action string, input flow.Values) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note(service, action, input)
	return nil, nil
}

func (k *kitchen) note(who, action string, input map[string]any) {
	line := time.Now().UTC().Format("02 15:04:05") + " " + who + " " + action
	for _, v := range input {
		line += fmt.Sprintf(" %q", v)
	}
	k.lines = append(k.lines, line)
}

// recipe returns the YAML of a page.
func recipe(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../docs/recipes", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatalf("%s has no YAML", name)
	}
	return text
}

// TestRecipes runs every page of docs/recipes with a clock of its own, which begins on
// Saturday, 1 January 2000, 00:00 UTC.
func TestRecipes(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.UTC // now is the machine's own time
	const tick = time.Second
	motion := map[string]any{"isMotionDetected": true}
	calm := map[string]any{"isMotionDetected": false}
	value := func(v any) map[string]any { return map[string]any{"value": v} }
	type happens struct {
		at     time.Duration
		thing  string
		values map[string]any
	}
	recipes := map[string]struct {
		fails   int
		happens []happens
		until   time.Duration
		want    []string
	}{
		"night": {0, []happens{{5 * time.Hour, "TG_MS", motion}, {12 * time.Hour, "TG_MS", motion}, {23 * time.Hour, "TG_MS", motion}}, 24 * time.Hour,
			[]string{"01 05:00:01 TG_Camera capture", "01 23:00:01 TG_Camera capture"}},
		"two-cameras": {0, []happens{{tick, "TG_MS", motion}}, time.Minute,
			[]string{"01 00:00:02 TG_Camera capture", "01 00:00:02 TG_Camera2 capture", `01 00:00:02 TG_Screen display "TG_Camera2.jpg"`}},
		"retry": {4, []happens{{0, "TG_MS", motion}}, time.Hour, []string{"01 00:00:01 TG_Camera capture", "01 00:00:04 TG_Camera capture",
			"01 00:00:09 TG_Camera capture", "01 00:00:18 TG_Camera capture", `01 00:00:18 TG_Screen display ""`}},
		"warm": {0, []happens{{0, "TG_Env", value(31.0)}, {4 * time.Minute, "TG_Env", value(29.5)}, {5 * time.Minute, "TG_Env", value(30.5)}, {8 * time.Minute, "TG_Env", value(33.0)}}, time.Hour,
			[]string{"01 00:10:00 fan on"}},
		"workdays": {0, nil, 4 * 24 * time.Hour, []string{"03 06:00:00 radio on", "04 06:00:00 radio on"}},
		"debounce": {0, []happens{{0, "button1", value("down")}, {3 * time.Millisecond, "button1", value("up")}, {5 * time.Millisecond, "button1", value("down")}, {tick, "button1", value("up")},
			{2 * tick, "button1", value("down")}, {2*tick + 10*time.Millisecond, "button1", value("up")}}, time.Minute, []string{"01 00:00:00 lamp toggle"}},
		"light": {0, []happens{{0, "TG_MS", motion}, {time.Minute, "TG_MS", calm}, {5 * time.Minute, "TG_MS", motion}, {6 * time.Minute, "TG_MS", calm}}, time.Hour,
			[]string{"01 00:00:00 lamp on", "01 00:05:00 lamp on", "01 00:16:00 lamp off"}},
		"tasmota":     {0, []happens{{0, "TG_MS", motion}, {tick, "TG_MS", calm}}, time.Minute, []string{"01 00:00:00 plug1 toggle"}},
		"esphome":     {0, []happens{{0, "TG_MS", motion}}, time.Minute, []string{"01 00:00:00 kitchen/switch/relay toggle"}},
		"shelly":      {0, []happens{{0, "TG_MS", motion}}, time.Minute, []string{"01 00:00:00 shellyplugs-a1b2c3 toggle"}},
		"zigbee2mqtt": {0, []happens{{0, "TG_MS", motion}}, time.Minute, []string{"01 00:00:00 desk plug toggle"}},
		"chain": {0, []happens{{0, "TG_MS", motion}}, time.Minute,
			[]string{"01 00:00:03 TG_Camera capture", `01 00:00:03 TG_Screen display "TG_Camera.jpg"`}},
		"ntfy": {0, []happens{{0, "TG_MS", motion}}, time.Minute, []string{"01 00:00:01 TG_Camera capture", `01 00:00:01 ntfy send "TG_Camera.jpg"`}},
	}
	pages, err := filepath.Glob("../docs/recipes/*.md")
	if err != nil || len(pages) != len(recipes)+1 {
		t.Fatalf("%d pages, %v; each but the index is run here", len(pages), err)
	}
	for name, tc := range recipes {
		t.Run(name, func(t *testing.T) {
			text := recipe(t, name)
			if n := strings.Count(text, "\n"); n > 15 {
				t.Errorf("%d lines; a recipe has 15 at most", n)
			}
			all, err := newReader().read([]File{{name + ".yaml", text}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				k := &kitchen{fails: tc.fails, events: map[string]func(map[string]any, time.Time){}}
				things := map[string]*utensil{}
				e := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler), Services: func(*flow.Deployment) engine.Services { return k },
					Device: func(_ *flow.Deployment, b flow.Binding) (device.Actor, error) {
						if things[b.Thing] == nil {
							things[b.Thing] = &utensil{k, b.Thing}
						}
						return things[b.Thing], nil
					}})
				defer e.Close()
				if err := e.Deploy(all[0].deployment); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				for _, h := range tc.happens {
					time.Sleep(h.at - time.Since(began))
					synctest.Wait()
					k.events[h.thing](h.values, time.Time{})
				}
				time.Sleep(tc.until - time.Since(began))
				synctest.Wait()
				slices.Sort(k.lines)
				if !slices.Equal(k.lines, tc.want) {
					t.Errorf("lines:\n%s\nwant:\n%s", strings.Join(k.lines, "\n"), strings.Join(tc.want, "\n"))
				}
			})
		})
	}
}
