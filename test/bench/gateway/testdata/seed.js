// The seed's vars_upload_test as a function node of Node-RED writes it.
const data_collect = msg.payload
const value_list = []
for (const [device, val_dict] of Object.entries(data_collect.values)) {
    const value_dict = { Device: device, timestamp: data_collect.timestamp, Data: {} }
    for (const [id, val] of Object.entries(val_dict)) {
        value_dict.Data[id] = val.raw_data
    }
    value_list.push(value_dict)
}
node.log(value_list)
return { payload: value_list }
