package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// size is a cell with a number of bytes.
func size(n int64) cell {
	return cell{text: humanSize(n), plain: strconv.FormatInt(n, 10)}
}

func humanSize(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// number is a cell with a number, thousands apart for people.
func number(n int64) cell {
	return cell{text: humanize.Comma(n), plain: strconv.FormatInt(n, 10)}
}

// count returns "1 tensor", "2 tensors".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(int64(n)) + " " + what + "s"
}

// age returns how long ago t was, in the largest unit that fits.
func age(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "-"
	case d < -time.Second:
		return "in the future"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// stamp is a cell with a time: local for people, UTC for programs.
func stamp(t time.Time) cell {
	if t.IsZero() {
		return cell{text: "-", plain: ""}
	}
	return cell{text: t.Local().Format("2006-01-02 15:04"), plain: t.UTC().Format(time.RFC3339)}
}
