package rule

import "pithings/conf"

// Script is the script of a rule.
type Script struct {
	Function string `json:"function" default:"main" change:"afar" jsonschema:"the main function of the script"`
	File     string `json:"script" expand:"path" file:"beside" change:"local" jsonschema:"file with the script, relative to this one"`
	Code     string `json:"code" change:"afar" jsonschema:"the script itself, instead of a file"`
	API      string `json:"api" default:"auto" enum:"auto,1,2" change:"afar" jsonschema:"version of Device Supervisor that the script is for; auto: 2 if its main function has a parameter message or cloudName, else 1"`
}

// None reports whether there is no script.
func (s *Script) None() bool { return s.File == "" && s.Code == "" }

// Publish is a publish rule: what it gets of its groups goes to its topic. Without a script it
// goes there as it is.
type Publish struct {
	Name   string   `json:"name" required:"true" change:"afar" jsonschema:"name of the rule"`
	Topic  string   `json:"topic" expand:"topic" required:"true" change:"afar" jsonschema:"where the result goes; ${NAME} is a global parameter"`
	QoS    int      `json:"qos" default:"1" min:"0" max:"2" change:"afar" jsonschema:"quality of service; 2 is sent as 1"`
	Groups []string `json:"groups" change:"afar" jsonschema:"collection groups or alarm groups whose data the rule gets, each for itself"`
	Script
	Columns map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// Subscribe is a subscribe rule: a script gets the messages of a topic.
type Subscribe struct {
	Name  string `json:"name" required:"true" change:"afar" jsonschema:"name of the rule"`
	Topic string `json:"topic" expand:"topic" required:"true" change:"afar" jsonschema:"the filter of the topics; ${NAME} is a global parameter"`
	QoS   int    `json:"qos" default:"0" min:"0" max:"2" change:"afar" jsonschema:"quality of service; 2 is asked for as 1"`
	Script
	Columns map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// Function is a generic function of 2.x: a script that runs at an interval, for messages of
// a topic, or at the start.
type Function struct {
	Name    string        `json:"name" required:"true" change:"afar" jsonschema:"name of the function"`
	Every   conf.Duration `json:"every" default:"0s" min:"0s" max:"24h" change:"afar" jsonschema:"it runs at this interval; 0: it does not"`
	Topic   string        `json:"topic" expand:"topic" change:"afar" jsonschema:"it runs for each message of this filter; ${NAME} is a global parameter"`
	Startup bool          `json:"startup" default:"false" change:"afar" jsonschema:"whether it runs once when the gateway starts"`
	Script
	Columns map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// Limits bound one call of a script.
type Limits struct {
	Steps  int           `json:"steps" default:"5000000" min:"1000" max:"1000000000" change:"afar" jsonschema:"most steps of one call: statements, rounds of loops and the like"`
	Memory conf.Bytes    `json:"memory" default:"8MiB" min:"64KiB" max:"256MiB" change:"afar" jsonschema:"most memory of one call, with what the script's variables keep"`
	Time   conf.Duration `json:"time" default:"5s" min:"10ms" max:"1m" change:"afar" jsonschema:"longest time of one call, with the time that it waits"`
}
