package collect

import (
	"math"
	"strconv"
	"strings"
)

// The conditions, and how two of them are combined, as files of Device Supervisor name them.
const (
	Eq  = "Eq"  // equal
	Neq = "Neq" // not equal
	Gt  = "Gt"  // greater
	Gne = "Gne" // greater or equal
	Lne = "Lne" // less or equal
	Lt  = "Lt"  // less

	And = "And"
	Or  = "Or"
)

// meets reports whether a value meets a condition. slack moves the operand to the side at
// which the condition holds longer: the hysteresis of an alarm that is on.
//
// Operands are texts. A number is compared with the number that the operand is; true and
// false are also 1 and 0, and other texts are equal or not, whatever their case.
func meets(value any, condition, operand string, slack float64) bool {
	v, ok := comparand(value)
	o, isNumber := operandNumber(operand)
	if !ok || !isNumber {
		same := strings.EqualFold(text(value), operand)
		return condition == Eq && same || condition == Neq && !same
	}
	switch condition {
	case Eq:
		return math.Abs(v-o) <= slack
	case Neq:
		return v != o
	case Gt:
		return v > o-slack
	case Gne:
		return v >= o-slack
	case Lne:
		return v <= o+slack
	case Lt:
		return v < o+slack
	}
	return false
}

// operandNumber returns an operand as a number, if it is one.
func operandNumber(operand string) (float64, bool) {
	if n, err := strconv.ParseFloat(strings.TrimSpace(operand), 64); err == nil {
		return n, true
	}
	return truth(operand)
}

// Unordered reports whether a condition asks for an order, which its operand does not have:
// such a condition never holds.
func Unordered(condition, operand string) bool {
	_, isNumber := operandNumber(operand)
	return !isNumber && condition != Eq && condition != Neq && condition != ""
}

// comparand returns a value as a number.
func comparand(value any) (float64, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n, true
		}
		return truth(v)
	}
	n, ok := number(value)
	return n, ok && !math.IsNaN(n)
}

// truth returns the number of a truth value, or of the state of a switch.
func truth(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on":
		return 1, true
	case "false", "off":
		return 0, true
	}
	return 0, false
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
