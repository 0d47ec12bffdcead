package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/test/manual"
)

var update = flag.Bool("update", false, "write the pages of the manual and the completions in deploy anew")

// The manual is made of the commands: a page for each of those that pithings lists, with
// the commands below it.
func TestManual(t *testing.T) {
	dir := deployed(t, "man")
	pages := map[string]string{}
	root := newRoot()
	add := func(p *manual.Page) { pages[p.File()] = p.String() }
	add(mainPage(root))
	for _, c := range shown(root) {
		add(commandPage(c))
	}
	manual.Check(t, dir, "*.1", pages, *update)
	manual.Lint(t, dir, slices.Collect(maps.Keys(pages))...)
}

// The completions are what pithings completion prints.
func TestCompletions(t *testing.T) {
	dir := deployed(t, "completions")
	root := newRoot()
	files := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{
		"pithings.bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"_pithings":     root.GenZshCompletion,
		"pithings.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.String()
	}
	manual.Check(t, dir, "*", files, *update)
}

// deployed returns a folder of deploy. What a test's environment says is no default of the
// program.
func deployed(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	ownHome(t)
	return dir
}

func mainPage(root *cobra.Command) *manual.Page {
	p := manual.New("pithings", 1, lowerFirst(root.Short))
	p.Section("SYNOPSIS")
	p.Synopsis("pithings", "COMMAND [FLAG…] [ARGUMENT…]")
	p.Section("DESCRIPTION")
	p.Text(root.Long)
	p.Section("COMMANDS")
	p.Text("Each has a page: pithings-run(1). All take --help.")
	see := []string{"pithings.yaml(5)"}
	for _, g := range root.Groups() {
		p.Subsection(strings.TrimSuffix(g.Title, ":"))
		for _, c := range shown(root) {
			if c.GroupID == g.ID {
				p.Term(c.Name(), "", c.Short)
				see = append(see, page(c)+"(1)")
			}
		}
	}
	p.Section("FILES")
	for _, f := range [][2]string{
		{"/etc/pithings/pithings.yaml", "The configuration of the service; see pithings.yaml(5)."},
		{"/var/lib/pithings", "The state folder of the service and of root: queues, pictures and flows."},
		{"~/.local/state/pithings", "The state folder of other users, or pithings in $XDG_STATE_HOME."},
		{"/run/pithings/socket", "The socket of the service, for members of the group pithings."},
	} {
		p.Term(f[0], "", f[1])
	}
	p.Section("ENVIRONMENT")
	for _, f := range [][2]string{
		{"PITHINGS_CONFIG", "The configuration, as --config."},
		{"PITHINGS_STATE", "The state folder, as --state; STATE_DIRECTORY of systemd counts after it."},
		{"PITHINGS_…", "Every key of the configuration outside lists, in capitals: PITHINGS_MQTT_ENDPOINT."},
	} {
		p.Term(f[0], "", f[1])
	}
	p.Section("EXIT STATUS")
	for _, e := range []struct {
		code int
		what string
	}{
		{exitOK, "What was asked for is done."},
		{exitFailure, "It is not; the message says why."},
		{exitUsage, "The command line is wrong, and nothing was done."},
		{exitSoon, "provision status: the certificate ends soon."},
		{exitTimeout, "watch: the time of -W is over."},
		{exitConfig, "run, flow run: the configuration is wrong."},
	} {
		p.Term(fmt.Sprint(e.code), "", e.what)
	}
	p.SeeAlso(see...)
	return p
}

// commandPage is the page of a command of the first level.
func commandPage(c *cobra.Command) *manual.Page {
	p := manual.New(page(c), 1, lowerFirst(c.Short))
	leaves := []*cobra.Command{c}
	if below := shown(c); len(below) > 0 {
		leaves = below
	}
	p.Section("SYNOPSIS")
	for _, l := range leaves {
		p.Synopsis(l.CommandPath(), strings.TrimPrefix(l.UseLine(), l.CommandPath()))
	}
	p.Section("DESCRIPTION")
	if c.Long == "" {
		p.Text(c.Short + ".")
	} else {
		p.Text(c.Long)
	}
	if leaves[0] == c {
		options(c, func() { p.Section("OPTIONS") }, p)
		if c.Example != "" {
			p.Section("EXAMPLES")
			p.Verbatim(c.Example)
		}
	} else {
		p.Section("COMMANDS")
		for _, l := range leaves {
			p.Subsection(l.CommandPath())
			if l.Long == "" {
				p.Text(l.Short + ".")
			} else {
				p.Text(l.Long)
			}
			options(l, func() {}, p)
			if l.Example != "" {
				p.Text("Examples:")
				p.Verbatim(l.Example)
			}
		}
		options(c, func() { p.Section("OPTIONS") }, p)
	}
	p.SeeAlso("pithings(1)", "pithings.yaml(5)")
	return p
}

// options writes the flags that a command itself has; before comes before the first.
func options(c *cobra.Command, before func(), p *manual.Page) {
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		before()
		before = func() {}
		argument, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if d := f.DefValue; !slices.Contains([]string{"", "0", "0s", "false", "[]"}, d) {
			usage += " (default " + d + ")"
		}
		p.Term(name, argument, usage)
	})
}

// shown are the commands below c that help lists, those of completion aside: each shell's
// is the same.
func shown(c *cobra.Command) []*cobra.Command {
	if c.Name() == "completion" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Commands()), func(sub *cobra.Command) bool { return !sub.IsAvailableCommand() })
}

func page(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
