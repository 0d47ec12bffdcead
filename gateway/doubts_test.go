package gateway_test

import (
	"fmt"
	"strings"
	"testing"
)

// What does nothing is reported, at its key, and what works is not.
func TestDoubts(t *testing.T) {
	for yaml, want := range map[string]string{
		`devices: [{name: plc, thing: enf}]`:                                                                                                                     `devices[0].thing: device "plc": there is no thing "enf"; did you mean "env"?`,
		`devices: [{name: plc, protocol: EtherNET/IP}]`:                                                                                                          "",
		`variables: [{device: evn, name: t}]`:                                                                                                                    `variables[0].device: there is no device and no thing "evn"; did you mean "env"?`,
		`variables: [{device: computed, name: t, expression: "1"}]`:                                                                                              "",
		`alarms: [{name: A, device: env, variable: t, condition1: Gt, operand1: "1"}]`:                                                                           `alarms[0].variable: alarm "A" is never triggered: there is no variable "t" of device "env"`,
		`{variables: [{device: env}], alarms: [{name: A, device: env, variable: t, condition1: Gt, operand1: "1"}]}`:                                             "",
		`{variables: [{device: env}], alarms: [{name: A, device: env, variable: t, condition1: Gt, operand1: hot}]}`:                                             `alarms[0].operand1: alarm "A": condition1 never holds, as its operand "hot" is no number; texts are Eq or Neq`,
		`{variables: [{device: env}], alarms: [{name: A, device: env, variable: t, condition1: Eq, operand1: hot}]}`:                                             "",
		`{variables: [{device: env}], alarms: [{name: A, device: env, variable: t, condition1: Eq, operand1: "1", condition2: Lt, operand2: "x"}]}`:              `alarms[0].condition2: alarm "A": condition2 is not used; say combine: And or Or`,
		`{variables: [{device: env}], alarms: [{name: A, device: env, variable: t, condition1: Eq, operand1: "1", combine: Or, condition2: Lt, operand2: "x"}]}`: `alarms[0].operand2: alarm "A": condition2 never holds, as its operand "x" is no number; texts are Eq or Neq`,
	} {
		s := settings(t, yaml)
		var got []string
		s.Doubts(func(path, format string, args ...any) { got = append(got, path+": "+fmt.Sprintf(format, args...)) }, []string{"env", "lamp"})
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", yaml, got, want)
		}
	}
}

// A rule whose script lacks the main function is found by a check, as is the line of an
// expression.
func TestCheckFindsTheMainFunction(t *testing.T) {
	s := settings(t, `{variables: [{device: d, name: x, expression: "1 2"}], publish: [{name: p, topic: a, groups: [default], code: "def upload(d, w): pass"}, {name: q, topic: a, groups: [default], function: upload, code: "upload = lambda d, w: 1"}]}`)
	var got []string
	s.CheckScripts(func(path, format string, args ...any) { got = append(got, path+": "+fmt.Sprintf(format, args...)) })
	const main = `publish[0].code: rule "p": script p has no function main; write def main(…), or name its main function with function`
	if len(got) != 2 || got[0] != main || !strings.HasPrefix(got[1], `variables[0].expression: variable "x": line 1: `) {
		t.Errorf("got %q", got)
	}
}
