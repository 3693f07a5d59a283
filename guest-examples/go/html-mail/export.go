//go:build wasip1

package main

import (
	formatter "campanile.example/guests/wit/export_campanile_notifier_message_formatter"
	_ "campanile.example/guests/wit/wit_exports"
)

func init() {
	formatter.Render = render
}
