# SPDX-License-Identifier: Apache-2.0
# The longest path of a unit, of no wires: inputs come, and outputs are wanted, at the clock's edge.
read_liberty $::env(TSR_LIBERTY)
read_verilog $::env(TSR_NETLIST)
link_design unit
create_clock -name clk -period 1000 [get_ports clk]
set_input_delay 0 -clock clk [get_ports i*]
set_output_delay 0 -clock clk [get_ports o*]
report_checks -path_delay max -path_group clk -format full
exit
