package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/field"
)

// kind is one of the four lists of 1.x: a CSV file, or a list of the JSON.
type kind struct {
	list    string   // its key in the JSON (get_tag_config, manual of 1.x)
	file    string   // its CSV file
	name    string   // the column that no other kind has
	need    []string // further columns that there have to be
	columns []string // in the order of an export; others follow in alphabetical order
	shape   []string // the columns that the JSON has in any case
	add     func(im *importer, at place, r row) error
}

// kinds are the lists with the columns of their CSV files (manual of Device Supervisor 1.x,
// appendix).
var kinds = []kind{
	{"devices", "device.csv", "Device Name", nil,
		[]string{"Device Name", "Protocol", "Ip/Serial", "Port", "Rack", "Slot", "Mode", "Slave", "Byte Order"},
		[]string{"Protocol", "Device Name", "Ip/Serial", "Port", "Rack", "Slot"}, (*importer).addDevice},
	{"vars", "var.csv", "Var Name", []string{"Device"},
		[]string{"Var Name", "Device", "Protocol", "Dbnumber", "Register Type", "Register Addr", "Register Bit", "Data Type", "Read Write", "Float Repr", "Mode", "Unit", "Size", "Desc", "Group"},
		[]string{"Device", "Protocol", "Data Type", "Register Type", "Var Name", "Register Addr", "Read Write", "Mode", "Unit", "Desc", "Group", "Size", "Float Repr"}, (*importer).addVariable},
	{"groups", "group.csv", "Group Name", []string{"Polling Interval"},
		[]string{"Group Name", "Polling Interval", "Upload Interval", "Group Type"}, nil, (*importer).addGroup},
	{"warning", "warn.csv", "Warn Name", []string{"Device", "Condition1", "Operand1"},
		[]string{"Warn Name", "Group", "Quotes", "Device", "Var Name", "Condition1", "Operand1", "Combine Method", "Condition2", "Operand2", "Alarm Content", "Register Addr", "Dbnumber", "Data Type", "Symbol", "Register Type", "Register Bit", "Namespace Index", "Identifier", "Identifier Type", "Float Repr"},
		nil, (*importer).addAlarm},
}

func (im *importer) addDevice(at place, r row) error {
	d := field.Device{Name: r.take("Device Name"), Protocol: r.take("Protocol")}
	if im.once(at, "device", d.Name) {
		d.Columns = im.rest(at, r)
		im.s.Devices = append(im.s.Devices, d)
	}
	return nil
}

func (im *importer) addVariable(at place, r row) error {
	var v collect.Variable
	conf.Fill(&v)
	v.Name, v.Device, v.Unit, v.Desc = r.take("Var Name"), r.take("Device"), r.take("Unit"), r.take("Desc")
	v.Group = cmp.Or(r.take("Group"), v.Group)
	v.Mode = cmp.Or(strings.ToLower(r.take("Mode")), v.Mode)
	if v.Mode != collect.Realtime && v.Mode != collect.OnChange {
		return fmt.Errorf("variable %s: the mode %q is none of realtime and onchange", v.Name, v.Mode)
	}
	if v.Name == "" {
		return errors.New("the variable has no name")
	}
	if v.Device == "" {
		return fmt.Errorf("variable %s has no device", v.Name)
	}
	if im.once(at, "variable", v.Device+"\x00"+v.Name) {
		v.Columns = im.rest(at, r)
		im.s.Variables = append(im.s.Variables, v)
	}
	return nil
}

func (im *importer) addGroup(at place, r row) error {
	var g collect.Group
	conf.Fill(&g)
	g.Name = r.take("Group Name")
	g.Type = cmp.Or(strings.ToLower(r.take("Group Type")), collect.Collect)
	if g.Type != collect.Collect && g.Type != collect.Alarms {
		return fmt.Errorf("group %s: the type %q is none of collect and alarm", g.Name, g.Type)
	}
	polling, err := interval(r.take("Polling Interval"), minPolling)
	if err == nil {
		g.Upload, err = interval(r.take("Upload Interval"), 0)
	}
	if err != nil {
		return fmt.Errorf("group %s: %w", g.Name, err)
	}
	g.Polling = cmp.Or(polling, g.Polling)
	if im.once(at, "group", g.Name) {
		g.Columns = im.rest(at, r)
		im.s.Groups = append(im.s.Groups, g)
	}
	return nil
}

// minPolling is the shortest polling interval of a group.
const minPolling = 100 * time.Millisecond

// interval reads a number of seconds; "" is none.
func interval(text string, least time.Duration) (d conf.Duration, err error) {
	if text == "" {
		return d, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err == nil {
		d.Duration = time.Duration(n * float64(time.Second))
	}
	switch comma := strings.Replace(text, ",", ".", 1); {
	case err == nil && n >= 0 && d.Duration >= least && n <= (24*time.Hour).Seconds():
		return d, nil
	case comma != text:
		return d, fmt.Errorf("the interval %q is no number of seconds; write %s", text, comma)
	}
	return d, fmt.Errorf("the interval %q is no number of seconds from %v to 86400", text, least.Seconds())
}

// byAddress is the value of Quotes of an alarm that has no variable but an address. Its
// variable has the name of the alarm here, and is in no round.
const byAddress = "0"

// none is the combine method of an alarm with one condition.
const none = "None"

// conditions are those of an alarm.
var conditions = []string{collect.Eq, collect.Neq, collect.Gt, collect.Gne, collect.Lne, collect.Lt}

var combinations = []string{none, collect.And, collect.Or}

// spelled returns a word as it is known, whatever its capitals.
func spelled(word string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, word) {
			return k
		}
	}
	return word
}

func (im *importer) addAlarm(at place, r row) error {
	var a collect.AlarmRule
	conf.Fill(&a)
	a.Name, a.Device, a.Variable, a.Content = r.take("Warn Name"), r.take("Device"), r.take("Var Name"), r.take("Alarm Content")
	a.Group = cmp.Or(r.take("Group"), a.Group)
	a.Condition1, a.Operand1 = spelled(r.take("Condition1"), conditions), r.take("Operand1")
	a.Condition2, a.Operand2 = spelled(r.take("Condition2"), conditions), r.take("Operand2")
	a.Combine = cmp.Or(spelled(r.take("Combine Method"), combinations), a.Combine)
	if level := r.take("Level"); level != "" {
		n, err := strconv.Atoi(level)
		if err != nil || n < 1 || n > 5 {
			return fmt.Errorf("alarm %s: the level %q is none of 1 to 5", a.Name, level)
		}
		a.Level = n
	}
	address := r["Quotes"] == byAddress
	if address {
		a.Variable = a.Name
	}
	if err := checkAlarm(&a); err != nil {
		return err
	}
	if !im.once(at, "alarm", a.Name) || address && !im.once(at, "variable", a.Device+"\x00"+a.Name) {
		return nil
	}
	a.Columns = im.rest(at, r)
	if address {
		var v collect.Variable
		conf.Fill(&v)
		v.Name, v.Device, v.Mode, v.Columns = a.Name, a.Device, collect.Never, map[string]string{"Quotes": byAddress}
		im.s.Variables = append(im.s.Variables, v)
	}
	im.s.Alarms = append(im.s.Alarms, a)
	return nil
}

// checkAlarm reports what an alarm lacks, and what it cannot have.
func checkAlarm(a *collect.AlarmRule) error {
	for _, c := range []string{a.Condition1, a.Condition2} {
		if c != "" && !slices.Contains(conditions, c) {
			return fmt.Errorf("alarm %s: the condition %q is none of Eq, Neq, Gt, Gne, Lne, Lt", a.Name, c)
		}
	}
	if !slices.Contains(combinations, a.Combine) {
		return fmt.Errorf("alarm %s: the combine method %q is none of None, And, Or", a.Name, a.Combine)
	}
	for _, need := range []struct{ what, text string }{{"device", a.Device}, {"variable", a.Variable}, {"first condition", a.Condition1}, {"first operand", a.Operand1}} {
		if need.text == "" && a.Name != "" {
			return fmt.Errorf("alarm %s has no %s", a.Name, need.what)
		}
	}
	if a.Combine != none && (a.Condition2 == "" || a.Operand2 == "") {
		return fmt.Errorf("alarm %s: %s needs a second condition with its operand", a.Name, a.Combine)
	}
	return nil
}
