package tdm

import (
	"fmt"
	"strings"
	"testing"
)

// house is a system of two sensors and two workflows for triggers to stand in.
const house = `
type House @systemType(id: "` + ns + `system:House") {
  hall: Thing @thing(id: "urn:tdm:aws/examples:device:HCSR501MotionSensor")
  attic: Thing @thing(id: "urn:tdm:aws/examples:deviceModel:MotionSensor")
  camera: Thing @thing(id: "urn:tdm:aws/examples:deviceModel:Camera")
  gauge: Thing @thing(id: "` + ns + `deviceModel:Gauge")
  look: Workflow @workflow(id: "` + ns + `Workflow:Look")
  log: Workflow @workflow(id: "` + ns + `Workflow:Log")
}
query Look($camera: string!) @workflowType(id: "` + ns + `Workflow:Look") {
  steps { step(name: "a") { DeviceActivity(deviceModel: "urn:tdm:aws/examples:deviceModel:Camera", deviceId: "${camera}") { capture } } } }
query Log($what: Json, $who: String = "") @workflowType(id: "` + ns + `Workflow:Log") {
  steps { step(name: "a") { ChoiceActivity { rule(expr: "${what}") default } } } }
`

func deployed(triggers string) string {
	return house + "query Home @deployment(id: \"" + ns + "deployment:Home\", systemId: \"" + ns + "system:House\") {\n" +
		`hall(deviceId: "h") attic(deviceId: "a") camera(deviceId: "c") gauge(deviceId: "g") triggers {` + "\n" + triggers + "\n} }"
}

// TestTriggers: what a condition becomes (nothing: every event) and what the
// flow is started with.
func TestTriggers(t *testing.T) {
	const event = `devices[name == 'hall'].events[name == 'StateChanged'].lastEvent`
	for name, tc := range map[string]struct{ condition, action, want string }{
		"every event":               {event, `ThingsGraph.startFlow('look', bindings[name == 'camera'].deviceId)`, "hall StateChanged: Look()"},
		"its value":                 {event + ".value", `ThingsGraph.startFlow('log')`, "hall StateChanged if value: Log()"},
		"a predicate":               {event + ".isMotionDetected == true", `ThingsGraph.startFlow('log')`, "hall StateChanged if event.isMotionDetected == True: Log()"},
		"a value compared":          {event + ".value == false", `ThingsGraph.startFlow('log')`, "hall StateChanged if value == False: Log()"},
		"a number":                  {`devices[name == 'gauge'].events[name == 'Reading'].lastEvent.val > 10`, `ThingsGraph.startFlow('log')`, "gauge Reading if event.val > 10: Log()"},
		"not":                       {"!" + event + ".value", `ThingsGraph.startFlow('log')`, "hall StateChanged if !value: Log()"},
		"several predicates":        {event + ".a > 1 && " + event + ".b < 2 || " + event + ".value", `ThingsGraph.startFlow('log')`, "hall StateChanged if event.a > 1 && event.b < 2 || value: Log()"},
		"double quotes":             {strings.ReplaceAll(event, "'", `"`), `ThingsGraph.startFlow("log")`, "hall StateChanged: Log()"},
		"no blanks":                 {strings.ReplaceAll(event, " ", ""), `ThingsGraph.startFlow('log','x')`, "hall StateChanged: Log(x)"},
		"slashes":                   {strings.ReplaceAll(event, "].", "]/"), `ThingsGraph.startFlow('log')`, "hall StateChanged: Log()"},
		"dots":                      {"devices.hall.events.StateChanged.lastEvent", `ThingsGraph.startFlow('log')`, "hall StateChanged: Log()"},
		"any case":                  {`Devices[Name == 'HALL'].Events[name == 'statechanged'].LastEvent`, `thingsgraph.StartFlow('LOG')`, "hall StateChanged: Log()"},
		"name last":                 {`devices['hall' == name].events['StateChanged' == name].lastEvent`, `ThingsGraph.startFlow('log')`, "hall StateChanged: Log()"},
		"in braces":                 {"${" + event + "}", `${ThingsGraph.startFlow('log')}`, "hall StateChanged: Log()"},
		"the workflow's own name":   {event, `ThingsGraph.startFlow('Log')`, "hall StateChanged: Log()"},
		"the workflow's URN":        {event, `ThingsGraph.startFlow('` + ns + `Workflow:Log')`, "hall StateChanged: Log()"},
		"literals":                  {event, `ThingsGraph.startFlow('log', False, 1.1)`, "hall StateChanged: Log(false 1.1)"},
		"negative and null":         {event, `ThingsGraph.startFlow('log', -100, null)`, "hall StateChanged: Log(-100 <nil>)"},
		"a cast":                    {event, `ThingsGraph.startFlow('log', ((String)` + event + `.isMotionDetected).charAt(0))`, "hall StateChanged: Log(${((string)event.isMotionDetected).charAt(0)})"},
		"the whole event":           {event, `ThingsGraph.startFlow('log', ` + event + `)`, "hall StateChanged: Log(${event})"},
		"the whole event, in short": {event, `ThingsGraph.startFlow('log', devices.hall.motionEvent)`, "hall StateChanged: Log(${event})"},
		"the event's value":         {event, `ThingsGraph.startFlow('log', ` + event + `.value)`, "hall StateChanged: Log(${value})"},
		"a thing's name":            {event, `ThingsGraph.startFlow('log', bindings[name == "CAMERA"].deviceId)`, "hall StateChanged: Log(${bindings[name == 'camera'].deviceId})"},
		"a thing by name":           {event, `ThingsGraph.startFlow('look', 'TG_Camera')`, "hall StateChanged: Look(TG_Camera)"},
		"a clock":                   {"every 10 seconds", `ThingsGraph.startFlow('log')`, "every 10 seconds: Log()"},
		"a clock, one":              {"Every Minute", `ThingsGraph.startFlow('log')`, "every 1 minute: Log()"},
		"a clock, years":            {" every  2   YEARS ", `ThingsGraph.startFlow('log')`, "every 2 years: Log()"},
	} {
		t.Run(name, func(t *testing.T) {
			text := deployed("T(description: \"\") { condition(expr: " + quote(tc.condition) + ") action(expr: " + quote(tc.action) + ") }")
			im := mustImport(t, Options{}, File{"x", []byte(text)})
			trigger := im.Deployments[0].Triggers[0]
			var b strings.Builder
			if e := trigger.Event; e != nil {
				b.WriteString(e.Role + " " + e.Name)
				if e.When != nil {
					b.WriteString(" if " + e.When.String())
				}
			} else {
				b.WriteString(trigger.Every.String())
			}
			for _, s := range trigger.Start {
				var args []string
				for _, a := range s.Args {
					if a.Value.Expr != nil {
						args = append(args, a.Value.Expr.Text())
					} else {
						args = append(args, fmt.Sprint(a.Value.Literal))
					}
				}
				b.WriteString(": " + s.Flow + "(" + strings.Join(args, " ") + ")")
			}
			if got := b.String(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestTriggerErrors(t *testing.T) {
	const event = `devices[name == 'hall'].events[name == 'StateChanged'].lastEvent`
	const start = `ThingsGraph.startFlow('log')`
	const forms = `write devices[name == 'role'].events[name == 'Event'].lastEvent, a predicate over it, or every 10 seconds`
	const startForm = `write ThingsGraph.startFlow('flow', bindings[name == 'role'].deviceId)`
	for name, tc := range map[string]struct{ condition, action, want string }{
		"no event":              {"true", start, `x:17:17: trigger T: condition "true" watches no event; ` + forms},
		"no expression":         {"devices[", start, `x:17:17: trigger T: condition: expression "devices[": at its end: a value is missing; ` + forms},
		"two events":            {event + " && devices[name == 'attic'].events[name == 'StateChanged'].lastEvent", start, `x:17:17: trigger T watches more than one event; write a trigger for each`},
		"something else in it":  {event + ".a > limit", start, `x:17:17: trigger T: condition "` + shorten(event+".a > limit") + `" uses limit; ` + forms},
		"unknown role":          {strings.Replace(event, "hall", "cellar", 1), start, `x:17:17: trigger T: system House has no thing cellar; add it to the system`},
		"unknown event":         {strings.Replace(event, "StateChanged", "Moved", 1), start, `x:17:17: trigger T: hall has no event Moved; it has StateChanged`},
		"no events at all":      {strings.Replace(event, "hall", "camera", 1), start, `x:17:17: trigger T: camera has no event StateChanged; it has no events`},
		"clock":                 {"every now and then", start, `x:17:17: trigger T: "every now and then" is no interval; `},
		"clock, none":           {"every 0 seconds", start, `x:17:17: trigger T: "every 0 seconds" is no interval; `},
		"no start":              {event, "doSomething()", `x:17:17: trigger T: an action that starts no flow: "doSomething()"; ` + startForm},
		"no name":               {event, "ThingsGraph.startFlow()", "x:17:17: trigger T: startFlow does not name its flow; " + startForm},
		"unknown flow":          {event, "ThingsGraph.startFlow('mow')", "x:17:17: trigger T: system House has no workflow mow; it has log, look"},
		"too few values":        {event, "ThingsGraph.startFlow('look')", "x:17:17: trigger T gives no value for $camera of look; add it; values are given in the order of the workflow's parameters"},
		"too many values":       {event, "ThingsGraph.startFlow('log', 1, 2, 3)", "x:17:17: trigger T gives 3 values to log, which has 2 parameters; remove the others"},
		"another event's value": {event, "ThingsGraph.startFlow('log', devices[name == 'attic'].events[name == 'StateChanged'].lastEvent)", "x:17:17: trigger T: a value of another event; only StateChanged of hall is known when it starts the flow"},
		"an event of a clock":   {"every day", "ThingsGraph.startFlow('log', " + event + ")", "x:17:17: trigger T: a value uses devices; write bindings[name == 'role'].deviceId, a literal, or devices[name == 'role'].events[name == 'Event'].lastEvent with a key"},
		"an unknown thing":      {event, "ThingsGraph.startFlow('log', bindings[name == 'cellar'].deviceId)", "x:17:17: trigger T: system House has no thing cellar; add it to the system"},
		"an unknown variable":   {event, "ThingsGraph.startFlow('log', x)", "x:17:17: trigger T: a value uses x; write bindings[name == 'role'].deviceId, a literal, or devices[name == 'role'].events[name == 'Event'].lastEvent with a key"},
		"an empty action":       {event, " ", "x:17:17: trigger T has an empty action; write ThingsGraph.startFlow('flow')"},
	} {
		t.Run(name, func(t *testing.T) {
			text := deployed("T(description: \"\") {\ncondition(expr: " + quote(tc.condition) + ")\naction(expr:    " + quote(tc.action) + ") }")
			d, err := Read(File{"x", []byte(text)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Import(Options{})
			if err == nil {
				t.Fatal("no error")
			}
			want := tc.want
			if tc.condition == event || tc.condition == "every day" {
				want = strings.Replace(want, "x:17:", "x:18:", 1)
			}
			if got := err.Error(); got != want && !(strings.HasSuffix(want, " ") && strings.HasPrefix(got, want)) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
