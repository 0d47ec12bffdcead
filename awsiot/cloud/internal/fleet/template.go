package fleet

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Template says which devices are registered, and as what.
type Template struct {
	// Name stands in the topic: 1 to 36 characters of a-z, A-Z, 0-9, _ and -.
	Name string `yaml:"name" json:"name"`
	// Parameters are those that a device must give.
	Parameters []string `yaml:"parameters" json:"parameters"`
	// ThingName names the thing; {PARAMETER} stands for what the device gives.
	ThingName string `yaml:"thing_name" json:"thing_name"`
	// Configuration is what the device gets.
	Configuration map[string]string `yaml:"device_configuration" json:"device_configuration"`
	// Allow are the values that a parameter may have, if it is named here.
	Allow map[string][]string `yaml:"allow" json:"allow"`
	// Hook, if not nil, is called for each registration, and refuses it with an error.
	Hook func(thing string, parameters map[string]string) error `yaml:"-" json:"-"`
}

var (
	isTemplate  = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,36}$`).MatchString
	isThing     = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`).MatchString
	placeholder = regexp.MustCompile(`\{([^{}]*)\}`)
)

// Check says what is wrong with a template.
func (t *Template) Check() error {
	if !isTemplate(t.Name) {
		return fmt.Errorf("template %.40q: a name has 1 to 36 characters of a-z, A-Z, 0-9, _ and -", t.Name)
	}
	names := placeholder.FindAllStringSubmatch(t.ThingName, -1)
	if len(names) == 0 {
		return fmt.Errorf("template %s: thing_name %.40q has no {PARAMETER}, so that all devices would be one thing", t.Name, t.ThingName)
	}
	for _, n := range names {
		if !slices.Contains(t.Parameters, n[1]) {
			return fmt.Errorf("template %s: thing_name has {%.40s}, which is not one of its parameters", t.Name, n[1])
		}
	}
	if !isThing(placeholder.ReplaceAllString(t.ThingName, "x")) {
		return fmt.Errorf("template %s: thing_name has 1 to 128 characters of a-z, A-Z, 0-9, :, _, - and {PARAMETER}", t.Name)
	}
	if len(t.Parameters) > maxParameters {
		return errors.New("a template has too many parameters")
	}
	return nil
}

// apply returns the name of the thing with these parameters.
func (t *Template) apply(parameters map[string]string) (string, *Error) {
	if len(parameters) > maxParameters {
		return "", &Error{400, InvalidParameter, fmt.Sprintf("There are more than %d parameters", maxParameters)}
	}
	for name, value := range parameters {
		if len(name) > maxParameter || len(value) > maxParameter {
			return "", &Error{400, InvalidParameter, fmt.Sprintf("A parameter has more than %d bytes", maxParameter)}
		}
	}
	for _, name := range t.Parameters {
		if parameters[name] == "" {
			return "", &Error{400, InvalidParameter, "The parameter " + name + " is missing"}
		}
	}
	for name, allowed := range t.Allow {
		if !slices.Contains(allowed, parameters[name]) {
			return "", &Error{403, AccessDenied, "The template does not allow this " + name}
		}
	}
	thing := placeholder.ReplaceAllStringFunc(t.ThingName, func(p string) string { return parameters[strings.Trim(p, "{}")] })
	if !isThing(thing) {
		return "", &Error{400, InvalidParameter, "The parameters make no name of a thing"}
	}
	if t.Hook != nil {
		if err := t.Hook(thing, parameters); err != nil {
			return "", &Error{403, AccessDenied, "The pre-provisioning hook refuses the device: " + err.Error()}
		}
	}
	return thing, nil
}
