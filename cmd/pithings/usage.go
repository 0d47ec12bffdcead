package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/conf/suggest"
	"pithings/quietlog"
)

// usageError is a wrong command line that only the command itself can detect.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// oneLine joins the lines of a suggestion ("Did you mean this?").
func oneLine(err error) string { return strings.Join(strings.Fields(said(err)), " ") }

// said is an error's text with each line cut: a file may have names of any length, and
// an error repeats them.
func said(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = quietlog.Clip(l, quietlog.MaxText)
	}
	return strings.Join(lines, "\n")
}

// commandOf names the command that args mean, for the hint behind an error.
func commandOf(root *cobra.Command, args []string) string {
	c, _, err := root.Find(args)
	if err != nil {
		return root.Name()
	}
	return c.CommandPath()
}

// otherNames are names under which people know our flags: those of the seeds'
// programs and of mosquitto's.
var otherNames = map[string]string{
	"rootCA": "ca", "cafile": "ca", "capath": "ca",
	"clientId": "client-id", "id": "client-id",
	"tls-alpn": "alpn",
}

// oneName maps the names of a flag to ours.
func oneName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if ours, ok := otherNames[name]; ok {
		name = ours
	}
	return pflag.NormalizedName(name)
}

// readHabits reads a command line as hands write it: -id as the publishing script of
// the BME680 tutorial takes it (it is no single letter), and a bare -h as a wish for
// help where -h HOST names the broker. It refuses what pflag would read as something
// else than was meant: long names behind one dash, and flags taken for the values
// of flags.
func readHabits(root *cobra.Command, args []string) ([]string, error) {
	out := slices.Clone(args)
	c, _, err := root.Find(args)
	if err != nil {
		c = root
	}
	var wants *pflag.Flag // the flag before, if this word is its value
	for i, a := range out {
		f := wants
		wants = nil
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		switch {
		case f != nil:
			if f.Annotations[anyValue] == nil && isFlag(c, a) {
				return out, noValue(c, f, out[i-1], a)
			}
		case a == "--":
			return out, nil
		case a == "-id":
			out[i] = "--client-id"
			wants = wantsValue(c, out[i])
		case a == "-h" && i == len(out)-1 && wantsValue(c, a) != nil:
			out[i] = "--help"
		case len(name) > 1 && len(a) > len(name) && !strings.HasPrefix(a, "--") && c.Flags().Lookup(name) != nil:
			return out, fmt.Errorf("-%s: long flags have two dashes; write --%s", name, name)
		default:
			wants = wantsValue(c, a)
		}
	}
	return out, nil
}

// anyValue marks a flag whose value may look like a flag: a message.
const anyValue = "pithings_any_value"

// mayBeEmpty are the flags whose value may be nothing.
var mayBeEmpty = []string{"message", "pw", "will-payload", "connection"}

// noEmptyValues refuses flags that were given with nothing: mostly a variable of a script
// that is not set. As if they had not been given, --host "$BROKER" would mean another
// broker, and --ca "$CA" clear text.
func noEmptyValues(f *pflag.FlagSet) (err error) {
	f.Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" && !slices.Contains(mayBeEmpty, f.Name) {
			err = fmt.Errorf("the value of --%s is empty: give one, or leave the flag out", f.Name)
		}
	})
	return err
}

// lookup returns the flag of c that is written so, without a value.
func lookup(c *cobra.Command, written string) *pflag.Flag {
	if name, long := strings.CutPrefix(written, "--"); long && name != "" {
		if f := c.Flags().Lookup(name); f != nil {
			return f
		}
		return c.InheritedFlags().Lookup(name)
	}
	if len(written) == 2 && written[0] == '-' && written[1] != '-' {
		if f := c.Flags().ShorthandLookup(written[1:]); f != nil {
			return f
		}
		return c.InheritedFlags().ShorthandLookup(written[1:])
	}
	return nil
}

// wantsValue returns the flag that is written so, if its value is the next word.
func wantsValue(c *cobra.Command, written string) *pflag.Flag {
	if f := lookup(c, written); f != nil && f.NoOptDefVal == "" {
		return f
	}
	return nil
}

func isFlag(c *cobra.Command, word string) bool {
	if name, _, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "--") {
		word = name
	}
	return lookup(c, word) != nil || word == "--help"
}

// noValue says that a flag has none.
func noValue(c *cobra.Command, f *pflag.Flag, written, next string) error {
	what, _ := pflag.UnquoteUsage(f)
	line := fmt.Sprintf("%s needs a value: %s %s", written, written, strings.ToUpper(orValue(what)))
	if next != "" {
		equals := "="
		if !strings.HasPrefix(written, "--") {
			equals = "" // -mTEXT
		}
		line = fmt.Sprintf("%s (%s is the next flag; if it is the value, write %s%s%s)", line, next, written, equals, next)
	}
	if hint := letterHint(c, strings.TrimPrefix(written, "-")); hint != "" {
		line += "; " + hint
	}
	return errors.New(line)
}

func orValue(what string) string {
	if what == "" {
		return "VALUE"
	}
	return what
}

// letterHint says what a letter means for mosquitto's tools that is something else,
// or nothing, for the command.
func letterHint(c *cobra.Command, letter string) string {
	switch own := c.Flags().ShorthandLookup; {
	case len(letter) != 1:
	case letter == "c" && own("c") != nil && own("c").Name == "cert":
		if c.Flags().Lookup("disable-clean-session") != nil {
			return "-c is the certificate here; mosquitto_sub's -c is --disable-clean-session"
		}
		return "-c is the certificate here"
	case letter == "k" && own("k") != nil && own("k").Name == "key":
		return "-k is the certificate's private key here; mosquitto's -k is --keepalive SECONDS"
	case letter == "h" && own("h") != nil:
		return "help is --help"
	case own(letter) != nil:
	case c.Name() == "watch" && strings.Contains("mflsnr", letter):
		return "watch only listens; pithings pub publishes"
	case c.Name() == "pub" && strings.Contains("CEFNRTUW", letter):
		return "pub only publishes; pithings watch listens"
	}
	return ""
}

// answer is an option of another program that pithings does not have: the error says
// what to use instead.
type answer string

func (a answer) Error() string { return string(a) }

// explainFlag words what is wrong with a flag so that it says what to write.
func explainFlag(c *cobra.Command, err error) error {
	if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 {
		return noSubcommand(c, words[0]) // whose flags are unknown
	}
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var answered answer
	switch {
	case errors.As(err, &answered):
		return answered
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		if best := near(unknown.GetSpecifiedName(), flagNames(c)); best != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, best)
		}
	case errors.As(err, &unknown):
		if hint := letterHint(c, unknown.GetSpecifiedName()); hint != "" {
			return fmt.Errorf("%w; %s", err, hint)
		}
		if best := near(unknown.GetSpecifiedShortnames(), flagNames(c)); best != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, best)
		}
	case errors.As(err, &missing):
		written := "--" + missing.GetSpecifiedName()
		if missing.GetSpecifiedShortnames() != "" {
			written = "-" + missing.GetSpecifiedName()
		}
		return noValue(c, missing.GetFlag(), written, "")
	case errors.As(err, &invalid):
		return badValue(invalid)
	}
	return err
}

// badValue says what a flag takes instead of its value.
func badValue(e *pflag.InvalidValueError) error {
	f := e.GetFlag()
	written := "--" + f.Name
	if f.Shorthand != "" {
		written = fmt.Sprintf("-%s (--%s)", f.Shorthand, f.Name)
	}
	takes := ""
	switch f.Value.Type() {
	case "bool":
		takes = "it takes no value; leave it out, or write true or false"
	case "uint8":
		takes = "give a number from 0 to 255"
	case "uint16":
		takes = "give a number from 0 to 65535"
	default:
		return fmt.Errorf("%s %s: %w", written, quoted(e.GetValue()), e.Unwrap())
	}
	return fmt.Errorf("%s %s: %s", written, quoted(e.GetValue()), takes)
}

// quoted makes a value fit for a message.
func quoted(value string) string {
	if len(value) > 80 {
		value = strings.ToValidUTF8(value[:80], "?") + "…"
	}
	return fmt.Sprintf("%q", value)
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for other, ours := range otherNames {
		if slices.Contains(names, ours) {
			names = append(names, other)
		}
	}
	slices.Sort(names) // of equally near ones always the same
	return names
}

// explainArguments lets c and all commands below it say which arguments they take.
func explainArguments(c *cobra.Command) {
	for _, sub := range c.Commands() {
		explainArguments(sub)
	}
	if c.HasSubCommands() && !c.Runnable() { // it would show its help, and have done nothing
		c.RunE = func(c *cobra.Command, _ []string) error { return usagef("say %s", strings.Join(subcommands(c), ", ")) }
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		var usage usageError
		switch {
		case err == nil || errors.As(err, &usage):
			return err
		case c.HasSubCommands():
			return noSubcommand(c, args[0])
		}
		_, takes, _ := strings.Cut(c.Use, " ")
		switch {
		case takes == "":
			return fmt.Errorf("%s takes no arguments, and %s is one; text with spaces is put in quotes", c.CommandPath(), quoted(args[0]))
		case len(args) == 0:
			return fmt.Errorf("%s is missing: write %s %s", takes, c.CommandPath(), takes)
		}
		return fmt.Errorf("%d arguments are too many: write %s %s; text with spaces is put in quotes", len(args), c.CommandPath(), takes)
	}
}

func subcommands(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			names = append(names, sub.Name())
		}
	}
	return names
}

// noSubcommand says that c has no such command.
func noSubcommand(c *cobra.Command, name string) error {
	names := subcommands(c)
	err := fmt.Errorf("unknown command %s for %q", quoted(name), c.CommandPath())
	for _, sub := range c.Commands() {
		if slices.Contains(sub.SuggestFor, name) {
			return fmt.Errorf("%w; did you mean %s?", err, sub.Name())
		}
	}
	for _, sub := range c.Commands() { // its group was left out: executions
		if found, _, findErr := sub.Find([]string{name}); findErr == nil && found != sub && found.Name() == name {
			return fmt.Errorf("%w; did you mean %s %s?", err, sub.Name(), name)
		}
	}
	if best := near(name, names); best != "" {
		return fmt.Errorf("%w; did you mean %s?", err, best)
	}
	return fmt.Errorf("%w: say %s", err, strings.Join(names, ", "))
}

// near returns the name that a typing error, or another's habit, may have meant: the
// nearest, or one that begins like it.
func near(name string, known []string) string {
	if best := suggest.Nearest(name, known); best != "" {
		return best
	}
	for _, k := range known {
		if len(name) > 2 && strings.HasPrefix(k, name) || len(k) > 2 && strings.HasPrefix(name, k) {
			return k
		}
	}
	return ""
}
