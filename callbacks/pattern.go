package callbacks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Pattern makes names from numbers: "cp-{epoch:02d}-{val_loss:.2f}". What is
// in braces is a name and, after a colon, one of Python's format
// specifications for numbers; two braces stand for one.
type Pattern struct {
	text  string
	parts []piece
	names *regexp.Regexp // those that it can make
}

// piece is literal text, or a placeholder if it has a field.
type piece struct {
	literal string
	field   string
	spec    spec
}

var fieldForm = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_ -]*$`)

// ParsePattern returns an error for what can never make a name: braces that do
// not match, placeholders without a name, unknown specifications.
func ParsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			p.literal(rest)
			break
		}
		p.literal(rest[:i])
		rest = rest[i:]
		if len(rest) > 1 && rest[1] == rest[0] {
			p.literal(rest[:1])
			rest = rest[2:]
			continue
		}
		end := strings.IndexAny(rest[1:], "{}") + 1
		if rest[0] == '}' || end == 0 || rest[end] == '{' {
			return nil, fmt.Errorf("pattern %q: a single brace", text)
		}
		if err := p.placeholder(rest[1:end]); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", text, err)
		}
		rest = rest[end+1:]
	}
	return p, p.compile()
}

func (p *Pattern) literal(text string) {
	if text != "" {
		p.parts = append(p.parts, piece{literal: text})
	}
}

func (p *Pattern) placeholder(text string) error {
	field, format, _ := strings.Cut(text, ":")
	if !fieldForm.MatchString(field) {
		return fmt.Errorf("placeholder {%s}: want the name of a number", text)
	}
	s, err := parseSpec(format)
	if err != nil {
		return err
	}
	p.parts = append(p.parts, piece{field: field, spec: s})
	return nil
}

// compile also refuses what is no name whatever the numbers.
func (p *Pattern) compile() error {
	expression, sample := `^`, ""
	for _, part := range p.parts {
		if part.field != "" {
			expression += `[^/]+`
			sample += "0"
		} else {
			expression += regexp.QuoteMeta(part.literal)
			sample += part.literal
		}
	}
	if err := filename.Check(sample); err != nil {
		return fmt.Errorf("pattern %q: %w", p.text, err)
	}
	p.names = regexp.MustCompile(expression + `$`)
	return nil
}

// String returns the pattern's text.
func (p *Pattern) String() string { return p.text }

// ErrNoValue is returned where a pattern names a number that is not there.
var ErrNoValue = errors.New("no value")

// Format returns the name for the numbers that value returns, each an int64 or
// a float64. A number that is missing is ErrNoValue.
func (p *Pattern) Format(value func(field string) (any, bool)) (string, error) {
	var name strings.Builder
	for _, part := range p.parts {
		if part.field == "" {
			name.WriteString(part.literal)
			continue
		}
		v, ok := value(part.field)
		if !ok {
			return "", fmt.Errorf("pattern %q: %q: %w", p.text, part.field, ErrNoValue)
		}
		text, err := part.spec.format(v)
		if err != nil {
			return "", fmt.Errorf("pattern %q: %q: %w", p.text, part.field, err)
		}
		name.WriteString(text)
	}
	return name.String(), nil
}

// Match says whether the pattern may have made the name. No character of the
// pattern has a meaning but the braces.
func (p *Pattern) Match(name string) bool { return p.names.MatchString(name) }

// prefix returns what all names begin with.
func (p *Pattern) prefix() string {
	if len(p.parts) == 0 || p.parts[0].field != "" {
		return ""
	}
	return p.parts[0].literal
}

// directory returns the directory of all names, and whether there is only one.
func (p *Pattern) directory() (dir string, one bool) {
	for _, part := range p.parts[min(1, len(p.parts)):] {
		if strings.Contains(part.literal, "/") {
			return "", false
		}
	}
	return path.Dir(p.prefix() + "x"), true
}

// find returns the checkpoints in dir whose names match: their index files.
func (p *Pattern) find(ctx context.Context, dir storage.Dir) ([]storage.Info, error) {
	var found []storage.Info
	for info, err := range dir.List(ctx, p.prefix()) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f, is := filename.Parse(info.Name)
		if is && f.Part == filename.Index && !strings.HasSuffix(f.Path, filename.RecoverySuffix) && p.Match(f.Path) {
			info.Name = f.Path
			found = append(found, info)
		}
	}
	return found, nil
}
