package router

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// templatePart is a part of a path that is to be built: a literal, or a parameter.
type templatePart struct {
	literal string
	param   string // "" for a literal
	slashes bool   // the parameter can match a slash
}

// template returns the parts of the paths that match the expression. It leaves out
// optional parts and takes the first of alternatives.
func (e *expression) template() ([]templatePart, error) {
	tree, err := syntax.Parse(e.re.String(), syntax.Perl)
	if err != nil {
		return nil, err
	}
	return templateOf(tree)
}

var errNoTemplate = errors.New("only named groups may match more than one text")

func templateOf(re *syntax.Regexp) (parts []templatePart, err error) {
	switch re.Op {
	case syntax.OpLiteral:
		return []templatePart{{literal: string(re.Rune)}}, nil
	case syntax.OpCapture:
		if re.Name == "" {
			return nil, fmt.Errorf("%w: %v has no name", errNoTemplate, re)
		}
		return []templatePart{{param: re.Name, slashes: mayHoldSlash(re)}}, nil
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			more, err := templateOf(sub)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
		}
		return parts, nil
	case syntax.OpAlternate:
		return templateOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 0 {
			return nil, nil
		}
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpPlus, syntax.OpNoMatch:
	case syntax.OpQuest, syntax.OpStar, syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %v", errNoTemplate, re)
}

// writePath appends the expression's part of a path, in the form that routes match, with
// its parameters from params. It adds those to used.
func (e *expression) writePath(form *strings.Builder, params map[string]string, used map[string]bool) error {
	parts, err := e.template()
	if err != nil {
		return err
	}
	for _, p := range parts {
		value, given := params[p.param]
		switch {
		case p.param == "":
			form.WriteString(p.literal)
		case !given:
			return fmt.Errorf("the parameter %q is missing", p.param)
		case strings.Contains(value, encodedSlash):
			return fmt.Errorf("the parameter %q has a control character: %q", p.param, value)
		default:
			if !p.slashes {
				value = strings.ReplaceAll(value, "/", encodedSlash)
			}
			form.WriteString(value)
			used[p.param] = true
		}
	}
	return nil
}
