# SPDX-License-Identifier: Apache-2.0
# The longest path of a unit, of no wires: inputs come, and outputs are wanted, at the clock's edge. TSR_NETLIST: of its parts, then its own; TSR_TOP: the module.
read_liberty $::env(TSR_LIBERTY)
foreach netlist $::env(TSR_NETLIST) {
  read_verilog $netlist
}
link_design $::env(TSR_TOP)
create_clock -name clk -period 1000 [get_ports clk]
set_input_delay 0 -clock clk [get_ports i*]
set_output_delay 0 -clock clk [get_ports o*]
report_checks -path_delay max -path_group clk -format full
exit
