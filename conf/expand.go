package conf

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"pithings/conf/machine"
)

// maxExpanded bounds what a variable brings, in bytes.
const maxExpanded = 4096

var (
	nameVariable = regexp.MustCompile(`\$?\{([A-Za-z_][A-Za-z0-9_.]*)\}`)
	pathVariable = regexp.MustCompile(`\$?\$\{([^}]*)\}`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Variables are what values may refer to, if a tag of their field allows it:
//
//	expand:"name"   {hostname}, {serial}, {machine}, {env.NAME}: names and ids
//	expand:"topic"  the same; other {…} are the topic's own, and checked with it
//	expand:"path"   ${NAME} of the environment: paths, endpoints and credentials
//
// In topics ${…} belongs to flows and rules, and stays.
type Variables struct {
	Machine machine.Machine
	Env     map[string]string
	// Shell is set for what a shell has seen, which has replaced ${…} already.
	Shell bool
}

// NewVariables returns those of this machine and of an environment, a list of NAME=VALUE.
func NewVariables(env []string) Variables {
	v := Variables{Machine: machine.This(), Env: map[string]string{}}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			v.Env[name] = value
		}
	}
	return v
}

// Expand replaces the variables in a text for the field.
func (v Variables) Expand(f Field, text string) (string, error) {
	switch mode := f.Tag.Get("expand"); mode {
	case "path":
		if v.Shell {
			return text, nil
		}
		return replace(pathVariable, text, func(all, name string) (string, error) {
			if strings.HasPrefix(all, "$$") { // ${ itself
				return all[1:], nil
			}
			return v.environment(name)
		})
	case "name", "topic":
		return replace(nameVariable, text, func(all, name string) (string, error) {
			if strings.HasPrefix(all, "$") {
				return all, nil
			}
			value, known, err := v.named(name)
			if !known && mode == "topic" {
				return all, nil
			}
			if !known {
				return "", fmt.Errorf("{%s} is no variable; there are {hostname}, {serial}, {machine} and {env.NAME}", name)
			}
			return value, err
		})
	}
	return text, nil
}

// replace replaces what the expression matches; its first group is the variable's name.
func replace(e *regexp.Regexp, text string, value func(all, name string) (string, error)) (string, error) {
	var failed error
	text = e.ReplaceAllStringFunc(text, func(all string) string {
		s, err := value(all, e.FindStringSubmatch(all)[1])
		if err == nil && len(s) > maxExpanded {
			err = fmt.Errorf("%s stands for more than %d bytes", all, maxExpanded)
		}
		if failed == nil {
			failed = err
		}
		return s
	})
	return text, failed
}

func (v Variables) named(name string) (value string, known bool, err error) {
	switch name {
	case "hostname":
		value, err = v.Machine.Hostname()
	case "serial":
		value, err = v.Machine.Serial()
	case "machine":
		value, err = v.Machine.ID()
	default:
		of, ok := strings.CutPrefix(name, "env.")
		if !ok {
			return "", false, nil
		}
		value, err = v.environment(of)
		return value, true, err
	}
	if err != nil {
		err = fmt.Errorf("{%s}: %w", name, err)
	}
	return value, true, err
}

// CredentialsDirectory is the variable that has the folder where systemd puts what
// LoadCredential= names (systemd.exec(5)).
const CredentialsDirectory = "CREDENTIALS_DIRECTORY"

// environment returns an environment variable. An empty one is as good as none: it would
// leave an empty level in a topic, or a folder in a path.
func (v Variables) environment(name string) (string, error) {
	value := v.Env[name]
	switch {
	case !variableName.MatchString(name):
		return "", fmt.Errorf("${%s} is not the name of a variable; write $${ for ${ itself", name)
	case value != "":
		return value, nil
	case name == CredentialsDirectory:
		return "", errors.New("${CREDENTIALS_DIRECTORY} is set by systemd, for a service with LoadCredential=; by hand write CREDENTIALS_DIRECTORY=FOLDER before the command")
	}
	return "", fmt.Errorf("the environment has no variable %s; set it (in a service: Environment=%s=…)", name, name)
}
