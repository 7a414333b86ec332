package doctor

import "time"

// Impatient are options for a directory at which nobody is at work.
func Impatient(o *Options) *Options { return Patient(o) }

// Patient are options with these pauses between looks.
func Patient(o *Options, pauses ...time.Duration) *Options {
	with := Options{}
	if o != nil {
		with = *o
	}
	with.pauses = append([]time.Duration{}, pauses...)
	return &with
}
