package history

import "pithings/conf"

// Settings are what a configuration says of the history.
type Settings struct {
	Enabled bool       `json:"enabled" default:"false" change:"afar" jsonschema:"whether what things measure is kept in the state folder for charts: each second of a day, minutes of a week, hours of a year"`
	Max     conf.Bytes `json:"max" default:"40MiB" min:"1MiB" max:"10GiB" change:"afar" jsonschema:"most space for it; each quantity of a thing takes 0.7 MB"`
}
