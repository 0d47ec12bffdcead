package awsiot_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pithings/test/manual"
	"pithings/things"
)

var update = flag.Bool("update", false, "write the policies in deploy/aws anew")

const folder = "../deploy/aws"

// policy is a document of AWS IoT Core, as far as ours use the language.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

const (
	arn = "arn:aws:iot:REGION:ACCOUNT:"
	own = "${iot:Connection.Thing.ThingName}"
)

// connects allows a client the name of the thing that its certificate is attached to.
func connects() statement {
	return statement{"Allow", []string{"iot:Connect"}, []string{arn + "client/" + own},
		map[string]map[string]string{"Bool": {"iot:Connection.Thing.IsAttached": "true"}}}
}

// thingPolicy allows a connection of one thing of a kind what is in its contract.
func thingPolicy(k *things.Kind) policy {
	var publish, retain, subscribe, receive []string
	for _, t := range k.Topics {
		name := strings.NewReplacer("{thing}", own, "{quantity}", "*").Replace(t.Template)
		switch {
		case t.In:
			subscribe, receive = append(subscribe, arn+"topicfilter/"+name), append(receive, arn+"topic/"+name)
		case t.Retain:
			retain = append(retain, arn+"topic/"+name)
			fallthrough
		default:
			publish = append(publish, arn+"topic/"+name)
		}
	}
	p := policy{"2012-10-17", []statement{connects()}}
	for _, s := range []statement{
		{Action: []string{"iot:Publish"}, Resource: publish},
		{Action: []string{"iot:RetainPublish"}, Resource: retain},
		{Action: []string{"iot:Subscribe"}, Resource: subscribe},
		{Action: []string{"iot:Receive"}, Resource: receive},
	} {
		if len(s.Resource) > 0 {
			s.Effect = "Allow"
			p.Statement = append(p.Statement, s)
		}
	}
	return p
}

// enginePolicy allows an engine, whose flows use things elsewhere, to hear what all things
// publish and to send them commands.
func enginePolicy() policy {
	var events, heard, commands []string
	add := func(list *[]string, resource string) {
		if !slices.Contains(*list, resource) {
			*list = append(*list, resource)
		}
	}
	for _, k := range things.Kinds() {
		for _, t := range k.Topics {
			name := strings.TrimPrefix(t.Template, "{thing}")
			switch {
			case strings.Contains(name, "{"): // single readings; the same are in state
			case t.In:
				add(&commands, arn+"topic/*"+name)
			case k.Routine && !strings.HasSuffix(name, "/state"): // as above
			default:
				add(&events, arn+"topicfilter/*"+name)
				add(&heard, arn+"topic/*"+name)
			}
		}
	}
	return policy{"2012-10-17", []statement{
		connects(),
		{Effect: "Allow", Action: []string{"iot:Subscribe"}, Resource: events},
		{Effect: "Allow", Action: []string{"iot:Receive"}, Resource: heard},
		{Effect: "Allow", Action: []string{"iot:Publish"}, Resource: commands},
	}}
}

// The policies are made of the kinds' topics.
func TestPolicies(t *testing.T) {
	files := map[string]string{}
	add := func(name string, p policy) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(p); err != nil {
			t.Fatal(err)
		}
		files[name] = b.String()
	}
	for _, k := range things.Kinds() {
		add("thing-"+k.Name+".json", thingPolicy(k))
	}
	add("pi.json", policy{"2012-10-17", []statement{
		connects(),
		{Effect: "Allow", Action: []string{"iot:Publish", "iot:RetainPublish", "iot:Receive"}, Resource: []string{arn + "topic/" + own + ":*"}},
		{Effect: "Allow", Action: []string{"iot:Publish", "iot:RetainPublish"}, Resource: []string{arn + "topic/" + own + "/status"}}, // will and birth
		{Effect: "Allow", Action: []string{"iot:Subscribe"}, Resource: []string{arn + "topicfilter/" + own + ":*"}},
	}})
	add("engine.json", enginePolicy())
	for name, p := range servicePolicies() {
		add(name, p)
	}
	manual.Check(t, folder, "*.json", files, *update)
}

// deployed is the folder of the policies.
func deployed() fs.FS { return os.DirFS(folder) }

// load reads a policy as it is deployed.
func load(t *testing.T, name string) policy {
	t.Helper()
	b, err := fs.ReadFile(deployed(), name)
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// allows decides as AWS IoT Core does for a client whose certificate is attached to a thing:
// the variable stands for the thing's name, * for any characters, and + and # of a filter
// for nothing but themselves.
// https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
func (p policy) allows(thing, action, resource string) bool {
	for _, s := range p.Statement {
		if !slices.Contains(s.Action, action) {
			continue
		}
		for _, r := range s.Resource {
			parts := strings.Split(strings.ReplaceAll(r, own, thing), "*")
			for i := range parts {
				parts[i] = regexp.QuoteMeta(parts[i])
			}
			if regexp.MustCompile(`^` + strings.Join(parts, ".*") + `$`).MatchString(arn + resource) {
				return true
			}
		}
	}
	return false
}

func TestAThingMayUseItsOwnTopicsAlone(t *testing.T) {
	for _, k := range things.Kinds() {
		p := load(t, "thing-"+k.Name+".json")
		check := func(want bool, action, resource string) {
			t.Helper()
			if got := p.allows("hall", action, resource); got != want {
				t.Errorf("%s: %s on %s: %v, want %v", k.Name, action, resource, got, want)
			}
		}
		check(true, "iot:Connect", "client/hall")
		check(false, "iot:Connect", "client/porch")
		check(false, "iot:Subscribe", "topicfilter/#")
		check(false, "iot:Subscribe", "topicfilter/+/"+"capture")
		check(false, "iot:Publish", "topic/$aws/things/hall/shadow/update")
		// The names of quantities are the configuration's: such a thing may publish to all of its
		// own topics.
		anything := slices.ContainsFunc(k.Topics, func(t things.Topic) bool { return strings.Contains(t.Template, "{quantity}") })
		for _, topic := range k.Topics {
			for _, thing := range []string{"hall", "porch", "hall2"} {
				mine := thing == "hall"
				name := strings.NewReplacer("{thing}", thing, "{quantity}", "temperature").Replace(topic.Template)
				check(mine && topic.In, "iot:Subscribe", "topicfilter/"+name)
				check(mine && topic.In, "iot:Receive", "topic/"+name)
				check(mine && topic.Retain, "iot:RetainPublish", "topic/"+name)
				check(mine && (anything || !topic.In), "iot:Publish", "topic/"+name)
			}
		}
	}
}

func TestAPiMayUseTheTopicsOfItsThings(t *testing.T) {
	p := load(t, "pi.json")
	for _, k := range things.Kinds() {
		for _, topic := range k.Topics {
			for thing, want := range map[string]bool{"hall:x": true, "porch:x": false, "hall2:x": false, "hall-2:x": false, "x": false} {
				name := strings.NewReplacer("{thing}", thing, "{quantity}", "temperature").Replace(topic.Template)
				for action, resource := range map[string]string{"iot:Publish": "topic/", "iot:Receive": "topic/", "iot:Subscribe": "topicfilter/"} {
					if got := p.allows("hall", action, resource+name); got != want {
						t.Errorf("%s on %s: %v, want %v", action, name, got, want)
					}
				}
			}
		}
	}
	for _, filter := range []string{"#", "+/motion", "$aws/things/hall/shadow/get"} {
		if p.allows("hall", "iot:Subscribe", "topicfilter/"+filter) {
			t.Errorf("it may subscribe to %s", filter)
		}
	}
}

func TestAnEngineHearsEventsAndSendsCommands(t *testing.T) {
	p := load(t, "engine.json")
	for resource, want := range map[string]bool{
		"iot:Subscribe topicfilter/TG_MS/motion": true, "iot:Receive topic/TG_MS/motion": true, "iot:Publish topic/TG_MS/motion": false,
		"iot:Publish topic/TG_Camera/capture": true, "iot:Subscribe topicfilter/TG_Camera/capture/finished": true,
		"iot:Publish topic/TG_Camera/capture/finished": false, "iot:Publish topic/lock/set": true, "iot:Subscribe topicfilter/door/event": true,
		"iot:Subscribe topicfilter/bme680/state": true, "iot:Publish topic/$aws/things/hall/shadow/update": false, "iot:Subscribe topicfilter/#": false,
	} {
		action, on, _ := strings.Cut(resource, " ")
		if got := p.allows("engine", action, on); got != want {
			t.Errorf("%s: %v, want %v", resource, got, want)
		}
	}
}

// The rules of AWS IoT Core for a policy's document, so far as they are published.
func TestPoliciesKeepTheRules(t *testing.T) {
	kinds := map[string]string{"iot:Connect": "client/", "iot:Publish": "topic/", "iot:RetainPublish": "topic/", "iot:Receive": "topic/", "iot:Subscribe": "topicfilter/"}
	variable := regexp.MustCompile(`\$\{[^}]*\}`)
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) < len(things.Kinds()) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		p := load(t, filepath.Base(file))
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// At most 2048 characters, white space aside ("AWS IoT Core endpoints and quotas").
		text := strings.NewReplacer("REGION", "us-gov-west-1x", "ACCOUNT", "123456789012", "TEMPLATE", strings.Repeat("t", 36)).Replace(string(b))
		text = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, text)
		if len(text) > 2048 {
			t.Errorf("%s has %d characters", file, len(text))
		}
		if p.Version != "2012-10-17" {
			t.Errorf("%s: version %s", file, p.Version)
		}
		for _, s := range p.Statement {
			if s.Effect != "Allow" || len(s.Action) == 0 || len(s.Resource) == 0 {
				t.Errorf("%s: %+v", file, s)
			}
			for _, a := range s.Action {
				for _, r := range s.Resource {
					if kinds[a] == "" || !strings.HasPrefix(r, arn+kinds[a]) {
						t.Errorf("%s: %s on %s", file, a, r)
					}
					if strings.ContainsAny(strings.TrimPrefix(r, arn), "+#") || strings.Count(r, "*") > 1 {
						t.Errorf("%s: %s has wildcards of MQTT, or several", file, r)
					}
					for _, v := range variable.FindAllString(r, -1) {
						if v != own {
							t.Errorf("%s: the variable %s", file, v)
						}
					}
				}
			}
		}
	}
}
