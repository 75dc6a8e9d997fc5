// Package monitor asks URLs whether they answer as they should, from one or several
// locations, and keeps what came of it.
package monitor
