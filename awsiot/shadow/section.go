package shadow

import "fmt"

// Section is what a configuration says of shadows.
type Section struct {
	Enabled bool `json:"enabled" default:"false" change:"local" jsonschema:"whether this device has a shadow, by which the cloud reads its settings and changes those that may be changed from afar; the thing in the cloud is the client id of the shared connection"`
	Things  bool `json:"things" default:"true" change:"local" jsonschema:"whether each thing has a shadow, too, under its name, with its settings"`
}

// MaxShadows bounds the shadows of a thing.
const MaxShadows = 100

// CheckThing returns why AWS IoT Core has no thing of a name, or nil.
func CheckThing(name string) error {
	if !thingName.MatchString(name) {
		return fmt.Errorf("the thing name %q is none that AWS IoT has: use 1 to 128 of a-z A-Z 0-9 : _ -", short(name))
	}
	return nil
}

// CheckName returns why no shadow can have a name, or nil.
func CheckName(name string) error {
	if !shadowName.MatchString(name) {
		return fmt.Errorf("the shadow name %q is none that AWS IoT has: use 1 to 64 of a-z A-Z 0-9 : _ - $", short(name))
	}
	return nil
}
