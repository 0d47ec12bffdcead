package quietlog

import (
	"context"
	"log/slog"
)

// Unnamed is the part of lines of which no part is known.
const Unnamed = "agent"

// All stands for all parts in Levels.
const All = "all"

// Part returns a logger whose lines are of a part, if log has the bounds of a Handler. An attribute
// service names another.
func Part(log *slog.Logger, name string) *slog.Logger {
	h, ok := log.Handler().(*Handler)
	if !ok {
		return log
	}
	of := *h
	of.part = name
	if k, ok := of.next.(keeper); ok {
		k.part = name
		of.next = k
	}
	return slog.New(&of)
}

// named are the part and the thing that attributes name.
func named(attrs []slog.Attr, part, thing string) (string, string) {
	for _, a := range attrs {
		switch a.Key {
		case "service":
			part = a.Value.String()
		case "thing", "connection": // which has the name of its thing
			thing = a.Value.String()
		}
	}
	return part, thing
}

// Levels are least levels, by the name of a thing, of a part, or All. The first of these that there
// is counts; without any it is that of the handler below.
type Levels map[string]slog.Level

// SetLevels sets the levels of a logger that has the bounds of a Handler, and of all that were made
// from the same one. It reports whether it has.
func SetLevels(log *slog.Logger, by Levels) bool {
	h, ok := log.Handler().(*Handler)
	if !ok {
		return false
	}
	if len(by) == 0 {
		h.levels.Store(nil)
		return true
	}
	set := &setLevels{by: by, least: slog.LevelError}
	for _, l := range by {
		set.least = min(set.least, l)
	}
	h.levels.Store(set)
	return true
}

// setLevels are Levels with the least of them.
type setLevels struct {
	by    Levels
	least slog.Level
}

// maybe reports whether there may be lines of a level.
func (s *setLevels) maybe(l slog.Level) bool { return l >= s.least }

// passes reports whether a line is logged.
func (s *setLevels) passes(ctx context.Context, h *Handler, r *slog.Record) bool {
	thing := h.thing
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "thing" {
			thing = a.Value.String()
		}
		return a.Key != "thing"
	})
	part := h.part
	if part == "" {
		part = Unnamed
	}
	for _, name := range []string{thing, part, All} {
		if least, ok := s.by[name]; ok && name != "" {
			return r.Level >= least
		}
	}
	return h.next.Enabled(ctx, r.Level)
}
