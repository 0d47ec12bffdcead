package discover

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes the report for people: what is connected, and below each part the lines that
// make a thing of it, indented as they are in a configuration.
func (r *Report) Text(w io.Writer) error {
	t := &text{}
	t.line(0, "%s", r.Board)
	for _, b := range r.Buses {
		if b.Group == groupGPIO {
			t.lines(r, b)
		} else {
			t.chips(r, b)
		}
	}
	t.parts(r, groupSerial, "Serial ports (what is connected to one cannot be seen)")
	t.parts(r, groupVideo, "Cameras")
	t.parts(r, groupFB, "Screens")
	t.parts(r, groupLinux, "Sensors that Linux has a driver for")
	t.parts(r, groupOther, "More")
	t.next(r)
	_, err := io.WriteString(w, t.String())
	return err
}

// text is what is written, in lines of printable characters: devices name themselves.
type text struct{ strings.Builder }

func (t *text) line(indent int, format string, args ...any) {
	t.WriteString(strings.Repeat(" ", indent))
	t.WriteString(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, fmt.Sprintf(format, args...)))
	t.WriteByte('\n')
}

// wrapped writes items with a title, in lines of at most width characters.
func (t *text) wrapped(title string, items []string) {
	const width = 100
	out := title
	for i, item := range items {
		if i < len(items)-1 {
			item += ","
		}
		if i > 0 && len(out)+1+len(item) > width {
			t.line(2, "%s", out)
			out = strings.Repeat(" ", len(title))
		}
		out += " " + item
	}
	if len(items) > 0 {
		t.line(2, "%s", out)
	}
}

// lines writes the lines of a GPIO chip: the free ones, and for each user those that it has.
func (t *text) lines(r *Report, b Bus) {
	t.WriteByte('\n')
	if b.Problem != "" {
		t.line(0, "GPIO lines of %s", b.Found)
		t.problem(b.Problem, b.Fix)
		return
	}
	t.line(0, "GPIO lines of %s (%s)", b.Name, b.Found)
	var free, users []string
	used := map[string][]string{}
	var things []Suggest
	for _, p := range r.Parts {
		if p.Group != groupGPIO || p.Bus != b.Name {
			continue
		}
		name := p.Name
		if p.Pin > 0 {
			name += fmt.Sprintf(" (pin %d)", p.Pin)
		}
		who := p.user()
		if who == "" {
			free = append(free, name)
		} else if used[who] = append(used[who], name); len(used[who]) == 1 {
			users = append(users, who)
		}
		things = append(things, p.Things...)
	}
	t.wrapped("free  ", free)
	for _, who := range users {
		t.line(2, "%s: %s", who, strings.Join(used[who], ", "))
	}
	if len(things) > 0 {
		t.line(2, "What is wired to a line cannot be seen. Write the line that yours is wired to:")
		t.things(things)
	}
}

// chips writes the chips on an I²C bus.
func (t *text) chips(r *Report, b Bus) {
	t.WriteByte('\n')
	t.line(0, "I²C bus %s (%s)", b.Name, b.Found)
	t.problem(b.Problem, b.Fix)
	empty := true
	for i := range r.Parts {
		p := &r.Parts[i]
		if p.Group != groupI2C || p.Bus != b.Name {
			continue
		}
		empty = false
		found := p.Found
		if who := p.user(); who != "" {
			found += ": in use by " + who
		}
		t.line(2, "%s  %s", p.Address, found)
		t.things(p.Things)
		if p.user() == "" && len(p.Things) == 0 {
			t.drivers(p)
		}
	}
	if empty && b.Problem == "" {
		t.line(2, "no chip answers")
	}
}

// drivers writes how Linux is given a driver for a chip. A chip without an overlay has a
// command, if that makes a sensor of it.
func (t *text) drivers(p *Part) {
	t.choices(p, "Linux has a driver: add the line of your chip to /boot/firmware/config.txt, restart, and run discover again", func(c *Chip) string { return c.ConfigTxt })
	t.choices(p, "Linux has a driver: this command loads it until the next start; then run discover again", func(c *Chip) string {
		if c.ConfigTxt != "" || !c.Sensor {
			return ""
		}
		return c.Command
	})
}

// choices writes a line for each of the first chips that a part may be, if there is one.
func (t *text) choices(p *Part, title string, line func(*Chip) string) {
	n := 0
	for i := range p.May {
		one := line(&p.May[i])
		if one == "" || n == shown {
			continue
		}
		if n++; n == 1 {
			t.line(8, "%s", title)
		}
		t.line(10, "%-10s %s", p.May[i].Name, one)
	}
}

// parts writes the parts of a group.
func (t *text) parts(r *Report, group, title string) {
	first := true
	for _, p := range r.Parts {
		if p.Group != group {
			continue
		}
		if first {
			t.WriteByte('\n')
			t.line(0, "%s", title)
			first = false
		}
		found := p.Found
		if !strings.HasPrefix(found, p.Name) {
			found = p.Name + ": " + found
		}
		if who := p.user(); who != "" {
			found += ": in use by " + who
		}
		t.line(2, "%s", found)
		t.problem(p.Problem, p.Fix)
		t.things(p.Things)
	}
}

// user returns what a part is used for, "" if it is free.
func (p *Part) user() string {
	switch {
	case p.Thing != "":
		return "thing " + p.Thing
	case p.Used != "":
		return p.Used
	}
	return ""
}

func (t *text) problem(problem, fix string) {
	if problem != "" {
		t.line(4, "%s", problem)
	}
	if fix != "" {
		t.line(6, "fix: %s", fix)
	}
}

func (t *text) things(things []Suggest) {
	for _, s := range things {
		if s.Drives {
			t.line(2, "# %s   # drives the line: only if yours is wired to be driven", s.YAML)
			continue
		}
		t.line(2, "%s", s.YAML) // as deep as the items of things usually are
	}
}

// next says what to do with it.
func (t *text) next(r *Report) {
	suggested, connected := false, false
	for _, p := range r.Parts {
		suggested = suggested || len(p.Things) > 0
		// Every computer has the rest.
		connected = connected || p.Problem == "" && p.Group != groupLinux && p.Group != groupOther
	}
	t.WriteByte('\n')
	switch {
	case connected:
	case r.Denied() > 0:
		t.line(0, "This user may not look at the parts: do what the lines after \"fix:\" say.")
	default:
		t.line(0, "Nothing is connected that pithings could use. On a Raspberry Pi, switch I²C on")
		t.line(0, "(sudo raspi-config nonint do_i2c 0) or plug a USB camera in, and run discover again.")
		t.line(0, "On another computer, pithings discover --mock shows what it would find.")
	}
	switch {
	case suggested && len(r.Configs) > 0:
		t.line(0, "Copy the lines that you want below things: in %s, check it with", r.Configs[0])
		t.line(0, "pithings config check, and let the agent read it: pithings reload.")
	case suggested:
		t.line(0, "Copy the lines that you want below things: in a configuration, and check it with")
		t.line(0, "pithings config check FILE; pithings config example shows all that it can hold.")
	case connected:
		t.line(0, "There is nothing more to make a thing of.")
	}
}
